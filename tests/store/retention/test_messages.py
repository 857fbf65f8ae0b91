"""Messages expire with all their updates, and their chats show the remaining ones."""

from uuid import uuid4

import pytest

from store.ledger import ledger
from store.postgres import connections
from store.retention import expired_messages, orphans
from store.retention.expired_messages import DeletedMessages
from store.search_index import search_index
from store.sending import sends
from store.sending.sends import SendDraft, SendResult
from tests.support.generated_history import world
from tests.support.history.replaying import fetch_rows
from tests.support.history.retention_scenario import (
    CUTOFF_TIME,
    LID_WITH_PHONE,
    NOW_TIME,
    OLD_TIME,
    SESSION_ID,
    expire_messages,
    message_at,
    message_ids,
    receive,
    update_event,
)


def test_old_messages_are_deleted_with_their_updates(database_url: str) -> None:
    """Nothing of a deleted message may remain: no text in the search, no earlier version and no reaction."""
    receive(database_url, message_at(OLD_TIME, "mango"), message_at(NOW_TIME, "lemon", 2))
    receive(database_url, update_event("message.ack", status="read"))
    for kind in ("edit", "reaction", "delete"):
        add_update = """
            INSERT INTO message_updates (key_id, kind, digest, chat_id, direction, occurred_at, text)
            SELECT key_id, %s, %s, chat_id, 'incoming', %s, 'guava' FROM whatsapp_messages WHERE message_id = 'ID1'
        """
        fetch_rows(database_url, add_update, kind, kind.encode(), OLD_TIME)
    with connections.open(database_url, "test") as connection:
        search_index.advance(connection, 1000)
        draft = SendDraft(uuid4(), SESSION_ID, world.ASHA, "text", "papaya", OLD_TIME, "t", "o")
        sends.record(connection, draft)
        sends.complete(connection, draft.send_id, SendResult("sent", "ID3"))
        lost = SendDraft(uuid4(), SESSION_ID, world.ASHA, "text", "papaya", OLD_TIME, "t", "o")
        sends.record(connection, lost)
        sends.complete(connection, lost.send_id, SendResult("unknown"))

    assert expire_messages(database_url) == DeletedMessages(2, 4, 2)
    assert message_ids(database_url) == ["ID2"]
    assert fetch_rows(database_url, "SELECT text FROM search_index") == [("lemon",)]
    for table in ("message_updates", "sends", "whatsapp_messages", "search_index"):
        assert fetch_rows(database_url, f"SELECT count(*) FROM {table} AS t WHERE t::text ~ 'mango|guava|papaya'") == [
            (0,)
        ]


def test_chats_show_the_remaining_messages_and_the_feed_reports_it(database_url: str) -> None:
    """Unread and waiting must not count messages that have expired."""
    receive(
        database_url,
        message_at(OLD_TIME, "one"),
        message_at(NOW_TIME, "two", 2),
        message_at(NOW_TIME + 1000, "three", 3),
    )
    receive(database_url, message_at(OLD_TIME, "alone", 4, sender=world.RAVI))
    fetch_rows(database_url, "DELETE FROM changes")

    expire_messages(database_url)

    query = "SELECT address, unread, waiting_since, last_timestamp FROM chats ORDER BY address"
    assert fetch_rows(database_url, query) == [(world.ASHA, 2, NOW_TIME, NOW_TIME + 1000), (world.RAVI, 0, None, None)]
    changed_chats = "SELECT f.kind, c.address FROM changes AS f JOIN chats AS c USING (chat_id) ORDER BY c.address"
    assert fetch_rows(database_url, changed_chats) == [("merge", world.ASHA), ("merge", world.RAVI)]


def test_the_ledger_still_counts_deleted_messages(database_url: str) -> None:
    """Retention must not make events look lost."""
    receive(database_url, message_at(OLD_TIME, "one"), message_at(NOW_TIME, "two", 2))
    expire_messages(database_url)
    receive(database_url, message_at(OLD_TIME, "one"), message_at(OLD_TIME, "one", pushName="Asha"))

    with connections.open(database_url, "test") as connection:
        read = ledger.read(connection)
    assert (read.received, read.stored, read.duplicate) == (4, 3, 1)


def test_a_message_is_as_old_as_its_youngest_copy(database_url: str) -> None:
    """Two addresses of one chat have copies with different times, and the message is deleted only as a whole."""
    receive(database_url, message_at(OLD_TIME, "one"), message_at(CUTOFF_TIME + 1000, "one", **LID_WITH_PHONE))

    assert expire_messages(database_url) == DeletedMessages(0, 0, 0)
    assert expire_messages(database_url, CUTOFF_TIME + 2000).messages == 2
    assert fetch_rows(database_url, "SELECT count(*) FROM chats WHERE last_timestamp IS NOT NULL") == [(0,)]


def test_old_updates_without_a_message_are_deleted(database_url: str) -> None:
    """An edit has a text, with or without the message that it changed, whereas an ack contains nothing."""
    receive(
        database_url,
        message_at(OLD_TIME, "one"),
        message_at(OLD_TIME, "two", 2),
        update_event("message.ack", 3, status="read"),
    )
    add_edit = """
        INSERT INTO message_updates (key_id, kind, digest, chat_id, direction, occurred_at, text)
        SELECT key_id, 'edit', '\\x01', chat_id, 'incoming', %s, 'x' FROM whatsapp_messages
    """
    fetch_rows(database_url, add_edit, OLD_TIME)
    fetch_rows(database_url, "DELETE FROM whatsapp_messages WHERE message_id = 'ID1'")

    assert expire_messages(database_url) == DeletedMessages(1, 2, 0)
    assert fetch_rows(database_url, "SELECT kind FROM message_updates") == [("ack",)]
    receive(database_url, message_at(OLD_TIME, "one", pushName="Asha"))
    assert message_ids(database_url) == []


def test_an_interrupted_deletion_continues_from_any_step(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is a transaction, and the tables show what is left to do."""
    monkeypatch.setattr(expired_messages, "BATCH_SIZE", 2)
    monkeypatch.setattr(orphans, "BATCH_SIZE", 1)
    receive(
        database_url,
        *(message_at(OLD_TIME + number, f"message {number}", number) for number in range(7)),
        message_at(NOW_TIME, "new", 9),
    )
    left = [8, 6, 4, 2, 1]
    for count in left:
        assert len(message_ids(database_url)) == count
        assert fetch_rows(database_url, "SELECT unread FROM chats") == [(count,)]
        with connections.open(database_url, "retain") as connection:
            next(expired_messages.prune(connection, CUTOFF_TIME))

    assert message_ids(database_url) == ["ID9"]
