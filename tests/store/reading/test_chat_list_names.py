"""The index of chats' names and addresses."""

from store.postgres import connections
from tests.support.history_writer import HistoryWriter, alias_fact, message_fact, name_fact

DIFFERENT = """
    SELECT coalesce(c.chat_id, n.chat_id)
    FROM chats AS c FULL JOIN chat_names AS n USING (chat_id)
    WHERE (c.address, c.name) IS DISTINCT FROM (n.address, n.name)
"""


def test_chat_names_follow_every_change_of_chats(database_url: str) -> None:
    """A name missing in the index is never found; one that only the index has would survive an erasure."""
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
    """Chats change with every message and names rarely do, so most batches must not write any."""
    history = HistoryWriter(database_url)
    history.store(message_fact(), name_fact("John"))
    before = history.rows("SELECT xmin::text FROM chat_names")
    history.store(message_fact(at=1), message_fact(at=2), name_fact("John", at=3))

    with connections.open(database_url, "test") as connection:
        assert connection.execute("SELECT unread FROM chats").fetchall() == [(3,)]
    assert history.rows("SELECT xmin::text FROM chat_names") == before
