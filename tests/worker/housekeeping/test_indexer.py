"""A worker keeps the search index and the ledger's batch runs up to date."""

from collections.abc import Iterator

import pytest

from dev.embedded.child_process import wait_until
from store.doctor import event_flow
from store.postgres import connections
from store.search_index import search_index
from tests.support.history.history_writer import HistoryWriter, message_fact
from worker.housekeeping import indexer
from worker.housekeeping.indexer import Indexer


@pytest.fixture
def running_indexer(database_url: str) -> Iterator[Indexer]:
    running = Indexer(database_url)
    running.start()
    yield running
    running.stop()


@pytest.mark.usefixtures("running_indexer")
def test_a_stored_message_can_be_searched_within_seconds(history: HistoryWriter) -> None:
    """The API only reads the index."""
    history.store(message_fact("a blue parcel"))

    assert wait_until(lambda: history.rows("SELECT text FROM search_index") == [("a blue parcel",)], 5)


@pytest.mark.usefixtures("running_indexer")
def test_indexing_continues_after_its_connection_was_lost(
    history: HistoryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL may restart while a worker runs."""
    monkeypatch.setattr(indexer, "ERROR_SECONDS", 0.1)
    connected = (
        "SELECT count(*) FROM pg_stat_activity WHERE (application_name, datname) = ('indexer', current_database())"
    )
    assert wait_until(lambda: history.rows(connected) == [(1,)], 5)
    history.rows(connected.replace("count(*)", "pg_terminate_backend(pid)"))
    history.store(message_fact("after the restart"))

    assert wait_until(lambda: history.rows("SELECT text FROM search_index") == [("after the restart",)], 10)


def test_batches_become_runs(history: HistoryWriter, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger then adds up a few runs instead of every batch."""
    monkeypatch.setattr(indexer, "MIN_BATCHES", 2)
    history.store(message_fact())
    history.store(message_fact())
    running = Indexer(database_url)
    running.start()

    assert wait_until(lambda: history.rows("SELECT first, last FROM batch_runs") == [(1, 2)], 5)
    running.stop()


REJECT_POISON = """
    CREATE FUNCTION reject_poison() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF new.text LIKE 'poison%%' THEN
            RAISE EXCEPTION 'index row size exceeds maximum' USING ERRCODE = '54000';
        END IF;
        RETURN new;
    END $$;
    CREATE TRIGGER reject_poison BEFORE INSERT ON search_index FOR EACH ROW EXECUTE FUNCTION reject_poison();
"""
INDEXED = "SELECT text FROM search_index ORDER BY timestamp"


@pytest.mark.usefixtures("running_indexer")
def test_a_message_that_cannot_be_indexed_holds_up_no_other(history: HistoryWriter, database_url: str) -> None:
    """The message is recorded for the doctor, and indexed an hour later if that is possible then."""
    history.execute(REJECT_POISON)

    history.store(*(message_fact(f"{'poison' if n == 5 else 'good'} {n}", n) for n in range(12)))

    assert wait_until(lambda: len(history.rows(INDEXED)) == 11, 10)
    skipped = "SELECT m.message_text, s.sqlstate FROM search_skipped AS s JOIN whatsapp_messages AS m USING (id)"
    assert wait_until(lambda: history.rows(skipped) == [("poison 5", "54000")], 10)
    with connections.open(database_url, "test") as connection:
        (found,) = event_flow.search_index(connection)
    assert (found.name, found.severity) == ("search.skipped", "warning")
    history.execute("ALTER TABLE search_index DISABLE TRIGGER reject_poison")
    history.execute("UPDATE search_skipped SET skipped_at = now() - interval '2 hours'")
    assert wait_until(lambda: len(history.rows(INDEXED)) == 12, 10)
    assert wait_until(lambda: history.rows(skipped) == [], 10)


@pytest.mark.long
def test_a_message_that_is_too_slow_to_index_holds_up_no_other(
    history: HistoryWriter, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time limit ended every transaction with such a message, which was tried again for ever."""
    monkeypatch.setattr(indexer, "CHANGES_PER_TRANSACTION", 2)
    monkeypatch.setattr(search_index, "_SETTINGS", {"statement_timeout": "2s"})
    reject = "RAISE EXCEPTION 'index row size exceeds maximum' USING ERRCODE = '54000'"
    history.execute(REJECT_POISON.replace(reject, "PERFORM pg_sleep(30)"))
    history.store(*(message_fact(f"{'poison' if n == 1 else 'good'} {n}", n) for n in range(3)))
    running = Indexer(database_url)
    running.start()

    skipped = "SELECT s.sqlstate FROM search_skipped AS s"
    assert wait_until(lambda: history.rows(skipped) == [("57014",)], 20)
    assert wait_until(lambda: len(history.rows(INDEXED)) == 2, 20)
    running.stop()
