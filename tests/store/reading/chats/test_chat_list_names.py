"""Tests the index of chats' names and addresses."""

import json

from store.postgres import connections
from store.reading.chats import chat_list
from store.search_index import search_index
from tests.support.history.history_writer import HistoryWriter, alias_fact, message_fact, name_fact

DIFFERENT = """
    SELECT coalesce(c.chat_id, n.chat_id)
    FROM chats AS c FULL JOIN chat_names AS n USING (chat_id)
    WHERE (c.address, c.name) IS DISTINCT FROM (n.address, n.name)
"""


def test_chat_names_follow_every_change_of_chats(database_url: str) -> None:
    """A name that is missing in the index is never found. One that only the index has would survive an erasure."""
    history = HistoryWriter(database_url)
    history.store(
        message_fact(),
        name_fact("John"),
        message_fact(address="120363041234567890@g.us"),
        message_fact(address="200@lid"),
    )
    history.store(name_fact("John Doe", at=5), alias_fact("200@lid"), name_fact("Later", "919811000009"))
    found = history.rows("SELECT name FROM chat_names WHERE address = '919811000001'")
    assert history.rows(DIFFERENT) == []

    history.execute("UPDATE chats SET name = NULL WHERE address = '919811000001'")
    history.execute("DELETE FROM chats WHERE address = '919811000009'")

    assert found == [("John Doe",)]
    assert history.rows("SELECT name FROM chat_names WHERE address = '919811000001'") == [(None,)]
    assert history.rows("SELECT FROM chat_names WHERE address = '919811000009'") == []
    assert history.rows(DIFFERENT) == []


def test_a_batch_that_changes_no_name_writes_none(database_url: str) -> None:
    """Chats change with every message but names rarely do, so most batches must not write any."""
    history = HistoryWriter(database_url)
    history.store(message_fact(), name_fact("John"))
    before = history.rows("SELECT xmin::text FROM chat_names")
    history.store(message_fact(at=1), message_fact(at=2), name_fact("John", at=3))

    with connections.open(database_url, "test") as connection:
        assert connection.execute("SELECT unread FROM chats").fetchall() == [(3,)]
    assert history.rows("SELECT xmin::text FROM chat_names") == before


SPELLINGS = {
    "Ravi-Kumar": (
        "ravi kumar",
        "RaviKumar",
        "\uff32\uff21\uff36\uff29\uff0d\uff2b\uff35\uff2d\uff21\uff32",
        "kumar ravi",
        "ra\u00advi\u2011kumar",
    ),
    "Ravi Kumar": ("ravi-kumar", "ravi.kumar", "Ravi\u00a0Kumar", "ravikumar", "rávi"),
    "દુકાન ૧૨૩": ("123", "દુકાન 123", "૧૨૩"),
    "Ward 4-B": ("4B", "ward ४ b", "WARD4B"),
    "Müller & Söhne": ("muller", "MÜLLER SÖHNE", "mu\u0308ller&so\u0308hne"),
    "张伟 42": ("张伟", "伟 42", "\uff14\uff12"),
}


def test_a_name_is_found_in_every_spelling(database_url: str) -> None:
    """Users do not know the separators, digits or accents with which a name was saved."""
    history = HistoryWriter(database_url)
    addresses = {name: f"9198110000{number:02}" for number, name in enumerate(SPELLINGS, 10)}
    history.store(*(message_fact(address=address) for address in addresses.values()))
    history.store(*(name_fact(name, address) for name, address in addresses.items()))

    with connections.open(database_url, "test") as connection:
        assert not search_index.advance(connection, 1000)
        for name, queries in SPELLINGS.items():
            for query in (name, *queries):
                assert addresses[name] in find(connection, query), (name, query)
        assert find(connection, "ravi kumar 12") == find(connection, "\u200d") == []


def test_a_changed_name_is_spelled_again_and_an_erased_one_is_gone(database_url: str) -> None:
    """A worker of another version changes names without normalising them."""
    history = HistoryWriter(database_url)
    history.store(message_fact(), name_fact("Ravi-Kumar"))
    with connections.open(database_url, "test") as connection:
        search_index.advance(connection, 1000)
        history.store(name_fact("Asha-Devi", at=5))
        assert find(connection, "ravi kumar") == []
        search_index.advance(connection, 1000)
        assert find(connection, "asha devi") == ["919811000001"]
        history.execute("UPDATE chat_names SET text = 'old', spelling = 1")
        search_index.advance(connection, 1000)
        assert find(connection, "asha devi") == ["919811000001"]
        history.execute("UPDATE chats SET name = NULL")

        assert history.rows("SELECT text, spelling FROM chat_names") == [(None, 0)]


def find(connection: connections.Connection, query: str) -> list[str]:
    page = chat_list.newest(connection, chat_list.ChatFilter(search_text=query), 10)
    return [str(json.loads(chat)["address"]) for chat in page.chats]
