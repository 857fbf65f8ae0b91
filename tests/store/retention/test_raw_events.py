"""Raw bodies go by age; what was counted, what was folded, and what nobody understood yet stay."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from store.ledger import ledger
from store.model.facts import Outcome
from store.postgres import connections
from store.replay import replay
from store.replay.replay import Plan, Replay
from store.retention import expired_events, partition_drop, partitions
from store.retention.expired_events import Gone, Wish
from tests.store.retention.test_partitions import month, name
from tests.support.faulty_parsers import rightly
from tests.support.generated_history import batches, world
from tests.support.replaying import drain, history, misread_as, parser, replayed, retried, rows, said

BEFORE = month(3) + 5 * world.DAY
"""The first partition and the next are older as a whole, the one after it is in part."""
RECEIPTS = (month(0), month(1), month(2), month(2) + world.DAY, month(3), BEFORE - 1, BEFORE, month(4))
OLD = 6
"""How many of them are before."""


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A history with bodies in several partitions, one message each."""
    monkeypatch.setattr(partitions, "AHEAD", 4)
    with connections.open(database_url, "test") as connection:
        assert partitions.make(connection) == [name(2), name(3), name(4)]
    keep(database_url)
    return database_url


def keep(database_url: str, *, writer: str = "f" * 32) -> None:
    copies = [(said(f"message {number}", number), receipt) for number, receipt in enumerate(RECEIPTS, 1)]
    drain(database_url, [batches.batch(copies, writer=writer)], rightly)


def prune(database_url: str, *, parked: bool = False, before: int = BEFORE) -> list[Gone]:
    with connections.open(database_url, "retain") as connection:
        wish = Wish(before, parked)
        looked = expired_events.look(connection, wish)
        gone = list(expired_events.prune(connection, wish))
        again = expired_events.look(connection, wish)
    # Neither more nor less than a dry run said.
    assert (sum(one.bodies for one in gone), sum(one.size for one in gone)) == (looked.bodies, looked.size)
    assert tuple(one.dropped for one in gone if one.dropped) == looked.partitions
    assert (again.bodies, again.partitions, again.parked) == (0, (), looked.parked)
    return gone


def receipts(database_url: str) -> list[object]:
    return [receipt for (receipt,) in rows(database_url, "SELECT received_at FROM events ORDER BY 1")]


def counted(database_url: str) -> object:
    with connections.open(database_url, "test") as connection:
        read = ledger.read(connection)
    return read.stored, read.duplicate, read.noise, read.ping, read.parked, read.forgotten


def test_what_is_old_goes_and_nothing_else(kept: str) -> None:
    """Whole months at once, the rest of the age one by one; digests, counts and messages are not touched."""
    before = history(kept)

    gone = prune(kept)

    after = history(kept)
    assert [one.dropped for one in gone if one.dropped] == ["events_first", name(2)]
    assert receipts(kept) == list(RECEIPTS[OLD:])
    assert rows(kept, "SELECT count(*) FROM keys WHERE pruned") == [(OLD,)]
    assert {table for table in before if before[table] != after[table]} == {"bodies"}


def test_late_copies_stay_duplicates(kept: str) -> None:
    """The identity of an event outlives its body, or everything that is sent again would be counted as new."""
    before = history(kept)
    prune(kept)

    keep(kept, writer="e" * 32)

    after = history(kept)
    assert counted(kept) == (len(RECEIPTS), len(RECEIPTS), 0, 0, 0, 0)
    assert receipts(kept) == list(RECEIPTS[OLD:])
    assert after["messages"] == before["messages"]


def test_replays_keep_what_only_pruned_bodies_said(kept: str) -> None:
    """A replay takes what is there for all there was, unless it knows that something is missing."""
    before = history(kept)
    prune(kept)

    assert replayed(kept, rightly).counts == {}
    assert history(kept)["messages"] == before["messages"]


def test_what_nobody_understood_yet_keeps_its_body(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pruning it would make it unreadable for ever: it leaves its month, and can be retried as before."""
    monkeypatch.setattr(partitions, "AHEAD", 2)
    with connections.open(database_url, "test") as connection:
        partitions.make(connection)
    copies = [(said("one"), month(0)), (said("two", 2), month(2)), (said("three", 3), month(3))]
    drain(database_url, [batches.batch(copies)], strange)

    gone = prune(database_url)

    assert [one.dropped for one in gone if one.dropped] == ["events_first", name(2)]
    assert rows(database_url, "SELECT event_id, tableoid::regclass::text FROM events ORDER BY 1") == [
        (number, "events_default") for number in (1, 2, 3)
    ]
    retried(database_url, rightly)
    assert rows(database_url, "SELECT message_id FROM whatsapp_messages ORDER BY 1") == [("ID1",), ("ID2",), ("ID3",)]
    assert counted(database_url) == (3, 0, 0, 0, 0, 0)


def test_what_nobody_understood_goes_if_somebody_says_so(database_url: str) -> None:
    """Then it can never be replayed; it stays on the list, and in the ledger, as what it is."""
    drain(database_url, [batches.batch([(said("one"), month(0)), (said("two", 2), month(2))])], strange)

    prune(database_url, parked=True)

    assert receipts(database_url) == []
    assert rows(database_url, "SELECT event_id FROM parked") == [(None,), (None,)]
    assert retried(database_url, rightly).events == 0
    assert counted(database_url) == (0, 0, 0, 0, 2, 0)


def test_a_long_mixed_history_loses_its_sources_and_nothing_else(database_url: str) -> None:
    """Events that tell of several messages, moved LIDs, acks and edits: a replay of nothing changes nothing."""
    drain(database_url, list(batches.told(400)), rightly)
    before = history(database_url)
    prune(database_url, parked=True, before=10**15)

    assert rows(database_url, "SELECT count(*) FROM event_keys") == [(0,)]
    assert replayed(database_url, misread_as(type="image")).counts == {}
    after = history(database_url)
    assert {table for table in before if before[table] != after[table]} == {"bodies"}


def test_it_goes_on_wherever_it_was_interrupted(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is a transaction, and what is left to do is what is left in the tables."""
    monkeypatch.setattr(expired_events, "BATCH", 1)
    monkeypatch.setattr(partition_drop, "PAGE", 1)
    steps = 0
    while receipts(kept) != list(RECEIPTS[OLD:]):
        with connections.open(kept, "retain") as connection:
            steps += len([next(expired_events.prune(connection, Wish(BEFORE, parked=False)))])
        assert replayed(kept, rightly).counts == {}

    assert steps == 4


def test_a_month_that_is_being_read_is_emptied_and_dropped_the_next_time(
    kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump that runs for hours keeps no body alive, and retention keeps no writer waiting for it."""
    monkeypatch.setattr(partition_drop, "PATIENCE", 1)
    with psycopg.connect(kept) as dump, connections.open(kept, "retain") as connection:
        dump.execute("SELECT FROM events LIMIT 1")
        gone = list(expired_events.prune(connection, Wish(BEFORE, parked=False)))
        dump.rollback()
        later = list(expired_events.prune(connection, Wish(BEFORE, parked=False)))

    assert [one.busy for one in gone if one.busy] == ["events_first", name(2)]
    assert sum(one.bodies for one in gone) == OLD
    assert [one.dropped for one in later if one.dropped] == ["events_first", name(2)]
    assert receipts(kept) == list(RECEIPTS[OLD:])


def test_writers_go_on_beside_it(kept: str) -> None:
    """Events of an old spool come while their month is dropped: none is refused, and none is lost but by age."""
    over = threading.Event()
    written: list[int] = []

    def write() -> None:
        with connections.open(kept, "worker") as connection:
            while not over.is_set() or len(written) < 20:
                number = 100 + len(written)
                copies = [(said("late", number), RECEIPTS[number % len(RECEIPTS)])]
                batches.keep(connection, [batches.batch(copies, number=number, writer=f"{number:032x}")])
                written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(3):
            with connections.open(kept, "retain") as connection:
                assert list(expired_events.prune(connection, Wish(BEFORE, parked=False))) is not None
    finally:
        over.set()
        thread.join()

    young = [receipt for receipt in receipts(kept) if isinstance(receipt, int) and receipt >= BEFORE]
    assert len(young) == 2 + sum(RECEIPTS[number % len(RECEIPTS)] >= BEFORE for number in written)
    assert rows(kept, "SELECT count(*) FROM whatsapp_messages") == [(len(RECEIPTS) + len(written),)]
    assert counted(kept) == (len(RECEIPTS) + len(written), 0, 0, 0, 0, 0)
    assert replayed(kept, rightly).counts == {}


def test_a_replay_goes_on_beside_it(kept: str) -> None:
    """What it has not read yet is gone in the middle of it, and no message with it."""
    before = history(kept)
    for _ in interleaved(kept):
        pass

    assert history(kept)["messages"] == before["messages"]


def interleaved(database_url: str) -> Iterator[None]:
    """Steps of a replay and of retention in turns."""
    plan = Plan(parser(rightly), size=2)
    with replay.open(database_url, plan) as ours, connections.open(database_url, "retain") as connection:
        job = Replay(ours, plan)
        steps = expired_events.prune(connection, Wish(BEFORE, parked=False))
        while job.step():
            next(steps, None)
            yield
        assert job.report.counts == {}


def strange(_: bytes) -> Outcome:
    return Outcome("parked", "strange", world.SESSIONS[0], "message.received", None)
