"""Documents that another version of the program wrote are normalised again."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from store.model import spelling
from store.model.facts import Delete
from store.postgres import connections
from store.reading.search import search
from store.reading.search.search import SearchPage, SearchQuery
from store.search_index import search_document, search_index
from tests.support.history.history_writer import BASE_TIME, SENDER_PHONE, HistoryWriter, message_fact

INDEX_AS_1_0 = """
    INSERT INTO search_index AS s (id, chat_id, session_id, direction, message_type, timestamp, text)
    SELECT m.id, m.chat_id, m.session_id, m.direction, m.message_type, m.timestamp,
        search_document(concat_ws(' ', m.message_text, m.caption, m.file_name))
    FROM whatsapp_messages AS m
    WHERE m.deleted_at IS NULL
    ON CONFLICT (id) DO UPDATE SET text = excluded.text || ' '
"""
"""The statement with which a worker of 1.0 indexes every message. The space updates existing documents."""
TEXTS = ["ઓર્ડર ૧૨૩૪૫", "PO-88/2231-X", "plain words", "ऑर्\u200dडर"]


def advance(url: str, limit: int = 1000) -> int:
    """Index all changes. Return the number of transactions."""
    with connections.open(url, "test") as connection:
        steps = 1
        while search_index.advance(connection, limit):
            steps += 1
        return steps


def find(url: str, query: str) -> SearchPage:
    with connections.open(url, "test") as connection:
        return search.find(connection, SearchQuery(search_document.split_query(query), 10), None)


def test_documents_of_an_earlier_version_are_spelled_again(history: HistoryWriter, database_url: str) -> None:
    """The transactions are small, and after them nothing is left to do."""
    history.store(*(message_fact(text, n) for n, text in enumerate(TEXTS)))
    history.execute("UPDATE search_index_position SET xid = '9000000000'")
    history.execute(INDEX_AS_1_0)
    before = find(database_url, "12345")

    steps = advance(database_url, limit=3)

    assert (before.hits, before.index_complete) == ((), False)
    assert steps == 2
    assert [(len(page.hits), page.index_complete) for page in (find(database_url, q) for q in ("12345", "po88"))] == [
        (1, True),
        (1, True),
    ]
    assert history.rows("SELECT text, spelling FROM search_index ORDER BY timestamp") == [
        (search_document.build(text), spelling.VERSION) for text in TEXTS
    ]
    written = "SELECT xmin::text FROM search_index ORDER BY id"
    assert history.rows(written) == (advance(database_url), history.rows(written))[1]


def test_documents_that_an_earlier_worker_writes_later_are_spelled_again(
    history: HistoryWriter, database_url: str
) -> None:
    """During an upgrade both versions index, in any order and for any time."""
    history.store(*(message_fact(text, n) for n, text in enumerate(TEXTS)))
    advance(database_url)
    history.execute(INDEX_AS_1_0)
    assert history.rows("SELECT DISTINCT spelling FROM search_index") == [(1,)]

    advance(database_url)

    assert len(find(database_url, "12345").hits) == 1
    assert history.rows("SELECT text FROM search_index ORDER BY timestamp") == [
        (search_document.build(text),) for text in TEXTS
    ]


@pytest.mark.parametrize("spelled_before", [False, True])
def test_a_message_without_words_has_no_document(
    history: HistoryWriter, database_url: str, *, spelled_before: bool
) -> None:
    history.store(message_fact("secret", id="A"), message_fact("\u200b", 1), message_fact("words", 2))
    if spelled_before:
        advance(database_url)
    history.store(Delete("A", SENDER_PHONE, "incoming", None, BASE_TIME))

    advance(database_url)

    assert history.rows("SELECT text FROM search_index") == [("words",)]


def test_outdated_documents_are_found_by_an_index_of_their_own(history: HistoryWriter) -> None:
    """A new spelling needs a migration with another index, or every look for outdated documents reads them all."""
    condition = "SELECT pg_get_expr(indpred, indrelid) FROM pg_index WHERE indexrelid = %s::regclass"

    assert history.rows(condition, f"search_index_before_{spelling.VERSION}") == [(f"(spelling < {spelling.VERSION})",)]


def test_the_document_of_a_deleted_message_is_deleted(history: HistoryWriter, database_url: str) -> None:
    """Whoever deletes a message waits for a transaction that indexes it, and a worker of 1.0 deletes it in this way."""
    history.store(message_fact("gone", id="A"), message_fact("kept", 1))
    with connections.open(database_url, "indexer") as indexer, ThreadPoolExecutor(1) as thread:
        with indexer.transaction():
            search_index.advance(indexer, 1000)
            deletion = thread.submit(history.execute, "DELETE FROM whatsapp_messages WHERE message_id = 'A'")
            with pytest.raises(TimeoutError):
                deletion.result(0.2)
        deletion.result()

    assert history.rows("SELECT text FROM search_index") == [("kept",)]


def test_a_hostile_message_is_indexed_like_any_other(history: HistoryWriter, database_url: str) -> None:
    """64,000 combining marks in a row exceeded the statement timeout, so later messages were not indexed."""
    history.store(message_fact("z" + "\u0301\u0316" * 32_000), message_fact("after", 1))

    advance(database_url)

    assert history.rows("SELECT text FROM search_index ORDER BY timestamp") == [("z",), ("after",)]


def test_large_texts_are_indexed_in_small_transactions(history: HistoryWriter, database_url: str) -> None:
    """250 messages of 65,000 characters took a minute, which exceeds the statement timeout."""
    history.store(*(message_fact("x" * 60_000, n) for n in range(6)))

    assert advance(database_url) == 2
    assert history.rows("SELECT count(*) FROM search_index") == [(6,)]
