"""Messages go by age with all that was said of them, and their chats show what is left."""

from uuid import uuid4

import pytest

from store.feed import search_index
from store.ledger import ledger
from store.postgres import connections
from store.retention import expired_messages, orphans
from store.retention.expired_messages import Gone
from store.sending import sends
from store.sending.sends import Draft, Result
from tests.support.generated_history import world
from tests.support.replaying import rows
from tests.support.retention_scenario import BEFORE, NOW, OLD, SESSION, UNDER_LID, about, at, come, ids, retire


def test_what_is_old_goes_with_all_that_was_said_of_it(database_url: str) -> None:
    """A message that is gone but for its text in the search, its first version or a reaction is not gone."""
    come(database_url, at(OLD, "mango"), at(NOW, "lemon", 2))
    come(database_url, about("message.ack", status="read"))
    for kind in ("edit", "reaction", "delete"):
        mark = "INSERT INTO marks SELECT key_id, %s, %s, chat_id, 'incoming', NULL, %s, NULL, 'guava' FROM"
        rows(database_url, f"{mark} whatsapp_messages WHERE message_id = 'ID1'", kind, kind.encode(), OLD)
    with connections.open(database_url, "test") as connection:
        search_index.follow(connection, 1000)
        draft = Draft(uuid4(), SESSION, world.ASHA, "text", "papaya", OLD, "t", "o")
        sends.record(connection, draft)
        sends.complete(connection, draft.send_id, Result("sent", "ID3"))
        lost = Draft(uuid4(), SESSION, world.ASHA, "text", "papaya", OLD, "t", "o")
        sends.record(connection, lost)
        sends.complete(connection, lost.send_id, Result("unknown"))

    assert retire(database_url) == Gone(2, 4, 2)
    assert ids(database_url) == ["ID2"]
    assert rows(database_url, "SELECT text FROM searchable") == [("lemon",)]
    for table in ("marks", "sends", "whatsapp_messages", "searchable"):
        assert rows(database_url, f"SELECT count(*) FROM {table} AS t WHERE t::text ~ 'mango|guava|papaya'") == [(0,)]


def test_chats_show_what_is_left_and_readers_are_told(database_url: str) -> None:
    """What is unread and since when somebody waits must not count what nobody can see any more."""
    come(database_url, at(OLD, "one"), at(NOW, "two", 2), at(NOW + 1000, "three", 3))
    come(database_url, at(OLD, "alone", 4, sender=world.RAVI))
    rows(database_url, "DELETE FROM changes")

    retire(database_url)

    query = "SELECT address, unread, waiting_since, last_timestamp FROM chats ORDER BY address"
    assert rows(database_url, query) == [(world.ASHA, 2, NOW, NOW + 1000), (world.RAVI, 0, None, None)]
    told = "SELECT f.kind, c.address FROM changes AS f JOIN chats AS c USING (chat_id) ORDER BY c.address"
    assert rows(database_url, told) == [("merge", world.ASHA), ("merge", world.RAVI)]


def test_the_ledger_counts_what_it_counted(database_url: str) -> None:
    """Forgetting by age is no way for an event to go missing."""
    come(database_url, at(OLD, "one"), at(NOW, "two", 2))
    retire(database_url)
    come(database_url, at(OLD, "one"), at(OLD, "one", pushName="Asha"))

    with connections.open(database_url, "test") as connection:
        read = ledger.read(connection)
    assert (read.received, read.stored, read.duplicate) == (4, 3, 1)


def test_a_message_is_as_old_as_its_youngest_copy(database_url: str) -> None:
    """Two addresses of one chat told of it at two times: it goes whole or not at all."""
    come(database_url, at(OLD, "one"), at(BEFORE + 1000, "one", **UNDER_LID))

    assert retire(database_url) == Gone(0, 0, 0)
    assert retire(database_url, BEFORE + 2000).messages == 2
    assert rows(database_url, "SELECT count(*) FROM chats WHERE last_timestamp IS NOT NULL") == [(0,)]


def test_what_was_said_of_a_message_that_never_came_goes_as_well(database_url: str) -> None:
    """An edit has a text, with or without the message that it changed; an ack alone says nothing."""
    come(database_url, at(OLD, "one"), at(OLD, "two", 2), about("message.ack", 3, status="read"))
    mark = "INSERT INTO marks SELECT key_id, 'edit', '\\x01', chat_id, 'incoming', NULL, %s, NULL, 'x' FROM"
    rows(database_url, f"{mark} whatsapp_messages", OLD)
    rows(database_url, "DELETE FROM whatsapp_messages WHERE message_id = 'ID1'")

    assert retire(database_url) == Gone(1, 2, 0)
    assert rows(database_url, "SELECT kind FROM marks") == [("ack",)]
    come(database_url, at(OLD, "one", pushName="Asha"))
    assert ids(database_url) == []


def test_it_goes_on_wherever_it_was_interrupted(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is a transaction, and what is left to do is what is left in the tables."""
    monkeypatch.setattr(expired_messages, "BATCH", 2)
    monkeypatch.setattr(orphans, "BATCH", 1)
    come(database_url, *(at(OLD + number, f"message {number}", number) for number in range(7)), at(NOW, "new", 9))
    left = [8, 6, 4, 2, 1]
    for count in left:
        assert len(ids(database_url)) == count
        assert rows(database_url, "SELECT unread FROM chats") == [(count,)]
        with connections.open(database_url, "retain") as connection:
            next(expired_messages.retire(connection, BEFORE))

    assert ids(database_url) == ["ID9"]
