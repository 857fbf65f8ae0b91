"""Expired messages never return, and their tombstones suppress no other messages."""

import pytest

from store.postgres.connections import Connection
from store.replay.refolding import RefoldComparison, Refolder
from store.replay.report import Difference
from store.retention.expired_messages import DeletedMessages
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import world
from tests.support.history.faulty_parsers import parse_correctly
from tests.support.history.replaying import (
    comparable_snapshot,
    fetch_rows,
    parser_with_wrong_fields,
    run_redrive,
    run_replay,
    store_batches,
    text_event,
)
from tests.support.history.retention_scenario import (
    LID_WITH_PHONE,
    LID_WITHOUT_PHONE,
    NOW_TIME,
    OLD_TIME,
    expire_messages,
    message_at,
    message_ids,
    park_everything,
    receive,
    update_event,
)
from worker.senders.sak import parser as sak


def test_nothing_restores_an_expired_message(database_url: str) -> None:
    """Gateways resend messages, other events contain them, acks arrive late, and replays read the remaining events."""
    undated = text_event("undated", 2, timestamp=None)
    receive(database_url, undated, received_at=OLD_TIME)
    receive(database_url, message_at(OLD_TIME, "one"), message_at(NOW_TIME, "new", 9, **LID_WITH_PHONE))
    counts = expire_messages(database_url)
    kept = comparable_snapshot(database_url)

    receive(database_url, message_at(OLD_TIME, "one"))
    receive(database_url, undated)
    receive(
        database_url,
        message_at(OLD_TIME, "one", pushName="Asha"),
        message_at(OLD_TIME, "one", **LID_WITH_PHONE),
        message_at(NOW_TIME, "undated", 2),
    )
    for status in ("delivered", "read"):
        receive(database_url, update_event("message.ack", status=status))
        address = {"to": f"{world.ASHA}@s.whatsapp.net"}
        receive(database_url, update_event("message.ack", 2, status=status, **address))
    receive(database_url, message_at(OLD_TIME, "parked", 1, more=1), parse=park_everything)
    run_redrive(database_url, parse_correctly)
    report = run_replay(database_url, parse_correctly)

    assert counts == DeletedMessages(2, 0, 0)
    assert report.difference_counts == {}
    assert message_ids(database_url) == ["ID9"]
    assert comparable_snapshot(database_url)["messages"] == kept["messages"]
    assert comparable_snapshot(database_url)["marks"] == kept["marks"]


def test_a_message_with_the_same_id_in_another_chat_is_another_message(database_url: str) -> None:
    """Senders choose ids, so a deleted message in one chat has no effect on another chat."""
    receive(database_url, message_at(OLD_TIME, "one"))
    expire_messages(database_url)

    receive(database_url, message_at(NOW_TIME, "hello", sender=world.RAVI))

    assert fetch_rows(database_url, "SELECT from_number, message_text FROM whatsapp_messages") == [
        (world.RAVI, "hello")
    ]
    assert run_replay(database_url, parse_correctly).difference_counts == {}


def test_no_copy_returns_after_the_addresses_of_the_chat_were_separated(database_url: str) -> None:
    """A copy came under the LID while it was the same chat, but newer evidence moves the LID to another phone."""
    receive(database_url, message_at(OLD_TIME, "one"), message_at(NOW_TIME, "new", 9, **LID_WITH_PHONE))
    expire_messages(database_url)
    receive(database_url, message_at(OLD_TIME, "one", **LID_WITH_PHONE))
    elsewhere = LID_WITH_PHONE | {"senderPn": world.spell_jid(world.RAVI)}
    receive(database_url, message_at(NOW_TIME + 1000, "parted", 8, **elsewhere))

    assert run_replay(database_url, parse_correctly).difference_counts == {}
    assert message_ids(database_url) == ["ID8", "ID9"]


def test_a_tombstone_deletes_nothing_when_its_chat_is_merged_into_another(database_url: str) -> None:
    """A message of the LID expired before its phone was known. A newer message with the same id stays."""
    receive(database_url, message_at(OLD_TIME, "one", **LID_WITHOUT_PHONE), message_at(NOW_TIME, "younger"))
    assert expire_messages(database_url).messages == 1
    receive(database_url, message_at(NOW_TIME, "new", 9, **LID_WITH_PHONE))
    receive(database_url, message_at(OLD_TIME, "one", again=1, **LID_WITHOUT_PHONE))

    assert run_replay(database_url, parse_correctly).difference_counts == {}
    assert fetch_rows(database_url, "SELECT message_text FROM whatsapp_messages ORDER BY 1") == [("new",), ("younger",)]


def test_a_concurrent_replay_does_not_undo_the_deletion(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The replay compares the message with its sources before the message is deleted, and repairs it afterwards."""
    misread = parser_with_wrong_fields(type="image")
    receive(
        database_url,
        *(message_at(OLD_TIME + number, f"message {number}", number) for number in range(6)),
        parse=misread,
    )
    receive(database_url, message_at(NOW_TIME, "new", 9), parse=misread)
    repair = Refolder.repair

    def late(
        refolding: Refolder, connection: Connection, comparison: RefoldComparison, reason: str
    ) -> list[Difference]:
        expire_messages(database_url)
        return repair(refolding, connection, comparison, reason)

    monkeypatch.setattr(Refolder, "repair", late)
    run_replay(database_url, parse_correctly)

    assert fetch_rows(database_url, "SELECT message_id, message_type FROM whatsapp_messages") == [("ID9", "text")]
    assert fetch_rows(database_url, "SELECT unread FROM chats") == [(1,)]


def test_a_long_mixed_history_is_deleted_completely_and_never_returns(database_url: str) -> None:
    """After every event is delivered again and replayed, nothing of the history is stored."""
    batches = list(generated_history_batches.generate_batches(400))
    store_batches(database_url, batches, parse_correctly)
    end = 10**14
    expire_messages(database_url, end)
    assert message_ids(database_url) == []
    assert fetch_rows(database_url, "SELECT DISTINCT kind FROM message_updates") in ([], [("ack",)])
    assert fetch_rows(database_url, "SELECT sum(unread), max(last_timestamp), max(waiting_since) FROM chats") == [
        (0, None, None)
    ]

    assert [
        kind for kind in run_replay(database_url, parse_correctly).difference_counts if kind.startswith("message")
    ] == []
    # An event that does not identify itself is recognised only as part of its batch.
    self_identifying = [body for batch in batches for body in batch.bodies if sak.parse(body).is_self_identifying]
    receive(database_url, *self_identifying)
    receive(database_url, *self_identifying, received_at=world.BASE_TIME - world.DAY)

    assert message_ids(database_url) == []
    assert fetch_rows(database_url, "SELECT count(*) FROM whatsapp_contacts") == [(0,)]


@pytest.mark.parametrize("seed", [5, 8])
def test_the_rest_of_a_mixed_history_stays_unchanged(database_url: str, seed: int) -> None:
    """Some messages expire. A replay then finds nothing to change, and copies of all events restore nothing."""
    batches = list(generated_history_batches.generate_batches(150, seed))
    store_batches(database_url, batches, parse_correctly)
    expire_messages(database_url, world.BASE_TIME + seed * 9 * world.SECOND)
    left = comparable_snapshot(database_url)

    assert run_replay(database_url, parse_correctly).difference_counts == {}
    assert comparable_snapshot(database_url) == left
    messages = message_ids(database_url)
    # Other events contain them, except for messages without an id, which are then other messages.
    receive(database_url, *(body + b" " for one in batches for body in one.bodies if b"ID" in body))

    assert [one for one in message_ids(database_url) if not str(one).startswith("~")] == [
        one for one in messages if not str(one).startswith("~")
    ]
