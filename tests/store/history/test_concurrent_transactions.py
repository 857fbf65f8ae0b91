"""Two overlapping transactions have the same result as one after the other.

Each pair failed in a store that reads before it locks. Neither transaction sees what the other is about to commit, so
that for example an ack waits forever for a message that is already stored.
"""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count

import pytest

from store.model.facts import Ack, Delete, DisplayName, Edit, LidAlias, Reaction
from store.postgres import connections, copying
from store.postgres.connections import Connection
from tests.support.generated_history import snapshot, world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, DeliveredEvent, event_of, message_fact

ASHA, LID = world.ASHA, world.LID_OF_ASHA
LATER = BASE_TIME + world.SECOND

MESSAGE = event_of(message_fact())
OURS = event_of(message_fact(direction="outgoing"))
UNDER_LID = event_of(message_fact(address=LID))
OURS_UNDER_LID = event_of(message_fact(address=LID, direction="outgoing"))
EVIDENCE = event_of(LidAlias(LID, ASHA, BASE_TIME))
OTHER_EVIDENCE = event_of(LidAlias(LID, world.RAVI, LATER))

PAIRS: dict[str, tuple[Sequence[DeliveredEvent], DeliveredEvent, DeliveredEvent]] = {
    "an ack and its message": ((), event_of(Ack("A", "read", ASHA, LATER)), OURS),
    "an ack without a chat and its message": ((), event_of(Ack("A", "read", None, LATER)), OURS),
    "a second ack without a chat and its message": (
        # The two have only the key in common, and it exists already.
        (event_of(Ack("A", "delivered", None, LATER)),),
        event_of(Ack("A", "read", None, LATER)),
        OURS,
    ),
    "an ack and a copy of its message": (
        (OURS,),
        event_of(Ack("A", "read", ASHA, LATER)),
        event_of(OURS.facts[0], seed="2"),
    ),
    "two acks": ((OURS,), event_of(Ack("A", "read", ASHA, LATER)), event_of(Ack("A", "delivered", ASHA, LATER))),
    "an edit and its message": ((), event_of(Edit("A", ASHA, "incoming", None, "Edited", LATER)), MESSAGE),
    "two edits": (
        (MESSAGE,),
        event_of(Edit("A", ASHA, "incoming", None, "First", LATER)),
        event_of(Edit("A", ASHA, "incoming", None, "Second", LATER + 1)),
    ),
    "an edit and better content": (
        (event_of(message_fact(text=None, state="undecrypted")),),
        event_of(Edit("A", ASHA, "incoming", None, "Edited", LATER)),
        MESSAGE,
    ),
    "a delete and its message": ((), event_of(Delete("A", ASHA, "incoming", None, LATER)), MESSAGE),
    "a reaction and its message": ((), event_of(Reaction("A", ASHA, "incoming", None, "👍", LATER)), MESSAGE),
    "two copies of a message": ((), MESSAGE, event_of(message_fact(text="Other", time=BASE_TIME - 1))),
    "the same event twice": ((), MESSAGE, event_of(*MESSAGE.facts, received_at=BASE_TIME + 1)),
    "evidence and a message under the LID": ((), EVIDENCE, UNDER_LID),
    "evidence and another message of the chat": (
        (UNDER_LID,),
        EVIDENCE,
        event_of(message_fact("B", address=LID, time=LATER)),
    ),
    "evidence and a message under the phone": ((UNDER_LID,), EVIDENCE, MESSAGE),
    "evidence and an ack under the phone": ((OURS_UNDER_LID,), EVIDENCE, event_of(Ack("A", "read", ASHA, LATER))),
    "evidence and an ack without a chat": ((OURS, OURS_UNDER_LID), EVIDENCE, event_of(Ack("A", "read", None, LATER))),
    "evidence and an edit under the phone": (
        (UNDER_LID,),
        EVIDENCE,
        event_of(Edit("A", ASHA, "incoming", None, "Edited", LATER)),
    ),
    "evidence and a reaction under the phone": (
        (UNDER_LID,),
        EVIDENCE,
        event_of(Reaction("A", ASHA, "incoming", None, "👍", LATER)),
    ),
    "evidence of two phones": ((UNDER_LID,), EVIDENCE, OTHER_EVIDENCE),
    "newer evidence and a message under the LID": (
        (EVIDENCE, UNDER_LID),
        OTHER_EVIDENCE,
        event_of(message_fact("B", address=LID, time=LATER)),
    ),
    "newer evidence and a message under the old phone": ((EVIDENCE, UNDER_LID), OTHER_EVIDENCE, MESSAGE),
    "two messages of one chat": ((), MESSAGE, event_of(message_fact("B", time=LATER))),
    "an answer and a question": (
        (MESSAGE,),
        event_of(message_fact("B", direction="outgoing")),
        event_of(message_fact("C", time=LATER)),
    ),
    "a name and a message": ((), event_of(DisplayName(ASHA, "Asha", 1, BASE_TIME)), MESSAGE),
    "two names": (
        (MESSAGE,),
        event_of(DisplayName(ASHA, "Asha", 1, BASE_TIME)),
        event_of(DisplayName(ASHA, "Asha Rao", 2, BASE_TIME)),
    ),
}


def _alone(memory: HistoryDatabase, before: Sequence[DeliveredEvent], *after: DeliveredEvent) -> snapshot.Snapshot:
    memory.clear()
    folding.store_transactions(memory.connection, count(1), before, *([event] for event in after))
    return snapshot.read(memory.connection)


def _until_waiting_or_done(observer: Connection, second: Connection, work: Future[None] | Future[bool]) -> bool:
    """Return whether the second transaction waits for a lock of the first, or False if it is already done."""
    pid = second.info.backend_pid
    while not work.done():
        if observer.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid]).fetchone() == (True,):
            return True
        time.sleep(0.002)
    return False


@pytest.mark.parametrize("copied", [False, True], ids=["", "copied"])
@pytest.mark.parametrize("swapped", [False, True], ids=["", "the other way round"])
@pytest.mark.parametrize("pair", PAIRS)
def test_concurrent_commits_are_not_missed(
    history_database: HistoryDatabase,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    pair: str,
    *,
    swapped: bool,
    copied: bool,
) -> None:
    """The first transaction has done all its work and is still open when the second does its own."""
    if copied:
        monkeypatch.setattr(copying, "MIN_ROWS", 1)
    before, one, other = PAIRS[pair]
    if swapped:
        one, other = other, one
    expected = _alone(history_database, before, one, other)
    assert not snapshot.differences(expected, _alone(history_database, before, other, one))

    history_database.clear()
    folding.store_transactions(history_database.connection, count(1), before)
    with (
        connections.open(database_url, "first") as first,
        connections.open(database_url, "second") as second,
        ThreadPoolExecutor(1) as thread,
    ):
        with first.transaction():
            folding.store_transactions(first, count(2), [one])
            work = thread.submit(folding.store_transactions, second, count(3), [other])
            waited = _until_waiting_or_done(history_database.connection, second, work)
        work.result()

    assert waited, "these two have nothing to do with each other: the pair proves nothing"
    assert not snapshot.differences(expected, snapshot.read(history_database.connection))
