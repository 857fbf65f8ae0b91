"""Messages go by age with all that was said of them, their chats show what is left, and nothing brings them back."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from store import connect, ledger, remarks, retirement, searchable, sends
from store.connect import Connection
from store.facts import Outcome
from store.refold import Comparison, Refolding
from store.report import Difference
from store.retirement import Gone
from store.sends import Draft, Result
from tests.convergence import world
from tests.store import mixed
from tests.store.misreadings import rightly
from tests.store.replaying import drain, history, misread_as, replayed, retried, rows, said
from worker.sak import parser as sak

NOW = int(datetime.now(UTC).timestamp()) * 1000
OLD = NOW - 800 * world.DAY
BEFORE = NOW - 730 * world.DAY
SESSION = world.SESSIONS[0]
UNDER_LID: Mapping[str, Any] = {"from": world.LID_OF_ASHA, "senderPn": world.jid(world.ASHA)}
"""How Asha's messages come under her other address, with the evidence that it is hers."""


def at(ms: int, text: str, number: int = 1, *, sender: str = world.ASHA, **more: object) -> bytes:
    return said(text, number, timestamp=ms // 1000, **{"from": world.jid(sender), **more})


def about(event: str, number: int = 1, **more: object) -> bytes:
    return world.encoded({"event": event, "sessionId": SESSION, "timestamp": OLD, "messageId": f"ID{number}", **more})


def come(database_url: str, *bodies: bytes, receipt: int = NOW, read: Callable[[bytes], Outcome] = rightly) -> None:
    """One batch, of a writer of its own."""
    drain(database_url, [mixed.batch([(body, receipt) for body in bodies], writer=uuid4().hex)], read)


def retire(database_url: str, before: int = BEFORE) -> Gone:
    with connect.open(database_url, "retain") as connection:
        looked = retirement.look(connection, before)
        gone = list(retirement.retire(connection, before))
        again = retirement.look(connection, before)
    total = Gone(*(sum(column) for column in zip(*((g.messages, g.marks, g.sends) for g in gone), strict=True)))
    # Neither more nor less than a dry run said.
    assert total == Gone(looked.messages, looked.marks, looked.sends)
    assert (again.messages, again.marks, again.sends) == (0, 0, 0)
    return total


def ids(database_url: str) -> list[object]:
    return [one for (one,) in rows(database_url, "SELECT message_id FROM whatsapp_messages ORDER BY 1")]


def test_what_is_old_goes_with_all_that_was_said_of_it(database_url: str) -> None:
    """A message that is gone but for its text in the search, its first version or a reaction is not gone."""
    come(database_url, at(OLD, "mango"), at(NOW, "lemon", 2))
    come(database_url, about("message.ack", status="read"))
    for kind in ("edit", "reaction", "delete"):
        mark = "INSERT INTO marks SELECT key_id, %s, %s, chat_id, 'incoming', NULL, %s, NULL, 'guava' FROM"
        rows(database_url, f"{mark} whatsapp_messages WHERE message_id = 'ID1'", kind, kind.encode(), OLD)
    with connect.open(database_url, "test") as connection:
        searchable.follow(connection, 1000)
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


def test_nothing_brings_it_back(database_url: str) -> None:
    """Gateways send again, other events tell of the same message, acks come late, replays read what is still there."""
    undated = said("undated", 2, timestamp=None)
    come(database_url, undated, receipt=OLD)
    come(database_url, at(OLD, "one"), at(NOW, "new", 9, **UNDER_LID))
    counts = retire(database_url)
    kept = history(database_url)

    come(database_url, at(OLD, "one"))
    come(database_url, undated)
    come(database_url, at(OLD, "one", pushName="Asha"), at(OLD, "one", **UNDER_LID), at(NOW, "undated", 2))
    for status in ("delivered", "read"):
        come(database_url, about("message.ack", status=status))
        address = {"to": f"{world.ASHA}@s.whatsapp.net"}
        come(database_url, about("message.ack", 2, status=status, **address))
    come(database_url, at(OLD, "parked", 1, more=1), read=strange)
    retried(database_url, rightly)
    report = replayed(database_url, rightly)

    assert counts == Gone(2, 0, 0)
    assert report.counts == {}
    assert ids(database_url) == ["ID9"]
    assert history(database_url)["messages"] == kept["messages"]
    assert history(database_url)["marks"] == kept["marks"]


def test_the_ledger_counts_what_it_counted(database_url: str) -> None:
    """Forgetting by age is no way for an event to go missing."""
    come(database_url, at(OLD, "one"), at(NOW, "two", 2))
    retire(database_url)
    come(database_url, at(OLD, "one"), at(OLD, "one", pushName="Asha"))

    with connect.open(database_url, "test") as connection:
        read = ledger.read(connection)
    assert (read.received, read.stored, read.duplicate) == (4, 3, 1)


def test_a_strangers_message_with_the_same_id_is_another_one(database_url: str) -> None:
    """Ids are the senders' choice: what was retired in one chat says nothing of another."""
    come(database_url, at(OLD, "one"))
    retire(database_url)

    come(database_url, at(NOW, "hello", sender=world.RAVI))

    assert rows(database_url, "SELECT from_number, message_text FROM whatsapp_messages") == [(world.RAVI, "hello")]
    assert replayed(database_url, rightly).counts == {}


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
    monkeypatch.setattr(retirement, "BATCH", 2)
    monkeypatch.setattr(remarks, "BATCH", 1)
    come(database_url, *(at(OLD + number, f"message {number}", number) for number in range(7)), at(NOW, "new", 9))
    left = [8, 6, 4, 2, 1]
    for count in left:
        assert len(ids(database_url)) == count
        assert rows(database_url, "SELECT unread FROM chats") == [(count,)]
        with connect.open(database_url, "retain") as connection:
            next(retirement.retire(connection, BEFORE))

    assert ids(database_url) == ["ID9"]


def test_a_replay_beside_it_does_not_undo_it(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It compared the message with its sources a moment before the message went, and repairs a moment after."""
    misread = misread_as(type="image")
    come(database_url, *(at(OLD + number, f"message {number}", number) for number in range(6)), read=misread)
    come(database_url, at(NOW, "new", 9), read=misread)
    repair = Refolding.repair

    def late(refolding: Refolding, connection: Connection, comparison: Comparison, reason: str) -> list[Difference]:
        retire(database_url)
        return repair(refolding, connection, comparison, reason)

    monkeypatch.setattr(Refolding, "repair", late)
    replayed(database_url, rightly)

    assert rows(database_url, "SELECT message_id, message_type FROM whatsapp_messages") == [("ID9", "text")]
    assert rows(database_url, "SELECT unread FROM chats") == [(1,)]


def test_a_long_mixed_history_goes_without_a_trace_and_stays_away(database_url: str) -> None:
    """Whatever was told in whatever way: told again in full, and replayed, none of it is there."""
    batches = list(mixed.told(400))
    drain(database_url, batches, rightly)
    end = 10**14
    retire(database_url, end)
    assert ids(database_url) == []
    assert rows(database_url, "SELECT DISTINCT kind FROM marks") in ([], [("ack",)])
    assert rows(database_url, "SELECT sum(unread), max(last_timestamp), max(waiting_since) FROM chats") == [
        (0, None, None)
    ]

    assert [kind for kind in replayed(database_url, rightly).counts if kind.startswith("message")] == []
    # What does not identify itself is known again only as the batch that it came in.
    told = [body for batch in batches for body in batch.bodies if sak.read(body).identifies_itself]
    come(database_url, *told)
    come(database_url, *told, receipt=world.T0 - world.DAY)

    assert ids(database_url) == []
    assert rows(database_url, "SELECT count(*) FROM whatsapp_contacts") == [(0,)]


@pytest.mark.parametrize("seed", [5, 8])
def test_what_is_left_of_a_mixed_history_stays_as_it_is(database_url: str, seed: int) -> None:
    """A cut through everything: a replay finds nothing to change, copies of all that was told bring nothing back."""
    batches = list(mixed.told(150, seed))
    drain(database_url, batches, rightly)
    retire(database_url, world.T0 + seed * 9 * world.SECOND)
    left = history(database_url)

    assert replayed(database_url, rightly).counts == {}
    assert history(database_url) == left
    messages = ids(database_url)
    # Told by other events: but for those whose messages have no id, which are then other messages.
    come(database_url, *(body + b" " for one in batches for body in one.bodies if b"ID" in body))

    assert [one for one in ids(database_url) if not str(one).startswith("~")] == [
        one for one in messages if not str(one).startswith("~")
    ]


def strange(_: bytes) -> Outcome:
    return Outcome("parked", "strange", SESSION, "message.received", None)
