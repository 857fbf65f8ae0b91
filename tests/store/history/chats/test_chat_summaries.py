"""Tests that a summary updated step by step equals a recomputed one."""

import hashlib
import itertools
import random
import uuid
from dataclasses import replace

import pytest

from store.history.chats import chat_summaries, summary_increments
from store.history.chats.summary_increments import SummaryIncrement
from store.ingestion import apply
from store.model.batches import Batch, Event
from store.model.facts import Direction, DisplayName, Fact, LidAlias, Message, Outcome
from store.postgres import connections
from tests.support.generated_history.database import HistoryDatabase

T0 = 1_734_621_000_000
PHONE = "919811000001"
LID = "200000000000011@lid"
NUMBERS = itertools.count(1)
SHOWN = """
SELECT address, name, last_timestamp, last_receive_order, last_id, unread, waiting_since FROM chats ORDER BY address
"""


def message(address: str, direction: Direction, number: int, time: int) -> Message:
    return Message(address, direction, f"M{number}", time, "text", "conversation", "complete", text=f"text {number}")


def something(chance: random.Random) -> Fact:
    """Return a random fact. Times and people are few, so that rare cases occur often."""
    kind, time = chance.random(), T0 + 1000 * chance.randrange(5)
    address = chance.choice((PHONE, PHONE, PHONE, LID, "120363041234567890@g.us"))
    if kind < 0.15:
        return DisplayName(chance.choice((PHONE, LID)), chance.choice(("Asha", "Ravi")), chance.choice((1, 1, 2)), time)
    if kind < 0.2:
        return LidAlias(LID, PHONE, time)
    direction: Direction = "outgoing" if kind < 0.4 else "incoming"
    fact = message(address, direction, chance.randrange(10_000), time)
    return replace(fact, type="system", raw_type="GROUP_CREATE") if kind > 0.9 else fact


@pytest.mark.parametrize("worlds", [30, pytest.param(300, marks=pytest.mark.long)])
def test_incremental_summaries_equal_recomputed_ones(history_database: HistoryDatabase, worlds: int) -> None:
    """Nearly every message takes the incremental way. If it is wrong, the inbox stays wrong."""
    connection = history_database.connection
    for seed in range(worlds):
        chance = random.Random(seed)
        history_database.clear()
        for number in range(chance.randint(2, 8)):
            # Some have the same millisecond and the same position in their batches, so only their ids order them.
            events = tuple(
                Event(index // 2, T0 + 10_000 + number // 3, b"", digest(), outcome(something(chance)))
                for index in range(chance.randint(1, 3))
            )
            apply.batches(connection, [Batch(uuid.uuid4().hex, 1, len(events), events)])
        shown = connection.execute(SHOWN).fetchall()
        heads = [int(str(head)) for (head,) in connection.execute("SELECT chat_id FROM chats").fetchall()]
        chat_summaries.recount(connection, heads)

        assert connection.execute(SHOWN).fetchall() == shown, seed


def outcome(fact: Fact) -> Outcome:
    return Outcome("stored", None, "s1", "message.received", T0, (fact,))


def digest() -> bytes:
    return hashlib.sha256(str(next(NUMBERS)).encode()).digest()


@pytest.mark.parametrize("answered", [False, True])
def test_an_increment_that_cannot_know_the_waiting_time_is_not_applied(database_url: str, *, answered: bool) -> None:
    """A message that arrives late may be before or after the answer, so the time must be recomputed."""
    with connections.open(database_url, "test") as connection:
        messages = [message(PHONE, "incoming", 1, T0 + 5000)]
        messages += [message(PHONE, "outgoing", 2, T0 + 9000)] if answered else []
        events = tuple(Event(i, T0 + 10_000, b"", digest(), outcome(fact)) for i, fact in enumerate(messages))
        apply.batches(connection, [Batch(uuid.uuid4().hex, 1, len(events), events)])
        row = connection.execute("SELECT chat_id FROM chats").fetchone()
        assert row
        head = int(str(row[0]))

        newer = SummaryIncrement(head, [(T0 + 7000, 1, 77)])
        older = SummaryIncrement(head, [(T0 + 3000, 1, 78)])

        assert summary_increments.apply(connection, [newer]) == ({head} if answered else set())
        assert summary_increments.apply(connection, [older]) == {head}


@pytest.mark.parametrize(
    ("address", "waits"),
    [
        (PHONE, True),
        (LID, True),
        ("120363041234567890@g.us", True),
        ("status@broadcast", False),
        ("1612345678@broadcast", False),
        ("120363999999@newsletter", False),
        ("0@s.whatsapp.net", False),
    ],
)
def test_a_chat_that_addresses_everybody_does_not_wait_for_an_answer(
    database_url: str, address: str, *, waits: bool
) -> None:
    """Otherwise a channel would always be at the top of the waiting chats, above every customer."""
    with connections.open(database_url, "test") as connection:
        events = (Event(0, T0, b"", digest(), outcome(message(address, "incoming", 1, T0))),)
        apply.batches(connection, [Batch(uuid.uuid4().hex, 1, 1, events)])
        grown = connection.execute("SELECT waiting_since FROM chats").fetchall()
        heads = [int(str(head)) for (head,) in connection.execute("SELECT chat_id FROM chats").fetchall()]
        chat_summaries.recount(connection, heads)

        assert grown == connection.execute("SELECT waiting_since FROM chats").fetchall() == [(T0 if waits else None,)]
