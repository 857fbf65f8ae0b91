"""Raw bodies expire by age, but counts, messages and parked events stay."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from store.ledger import ledger
from store.model.facts import Outcome
from store.postgres import connections, lock_retry
from store.replay import replay
from store.replay.replay import Replay, ReplayPlan
from store.retention import expired_events, partition_drop, partitions
from store.retention.expired_events import DeletedBodies, RetentionPolicy
from tests.support.generated_history import batches, world
from tests.support.history.faulty_parsers import parse_correctly
from tests.support.history.partition_names import month_ms, partition_name
from tests.support.history.replaying import (
    comparable_snapshot,
    fetch_rows,
    parser_with_wrong_fields,
    replay_parser,
    run_redrive,
    run_replay,
    store_batches,
    text_event,
)
from tests.support.waiting import retry_transient

BEFORE = month_ms(3) + 5 * world.DAY
"""An age at which three partitions are older as a whole, and the next one in part."""
POLICY = RetentionPolicy(BEFORE, include_parked=False)
RECEIPTS = (*map(month_ms, range(3)), month_ms(2) + world.DAY, month_ms(3), BEFORE - 1, BEFORE, month_ms(4))
OLD_MONTHS = [partition_name(0), partition_name(1), partition_name(2)]
OLD = 6  # bodies before BEFORE


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A history with bodies in several partitions, one message each."""
    monkeypatch.setattr(partitions, "MONTHS_AHEAD", 4)
    with connections.open(database_url, "test") as connection:
        assert partitions.create_missing(connection) == [partition_name(2), partition_name(3), partition_name(4)]
    keep(database_url)
    return database_url


def keep(database_url: str, *, writer: str = "f" * 32) -> None:
    copies = [(text_event(f"message {number}", number), receipt) for number, receipt in enumerate(RECEIPTS, 1)]
    store_batches(database_url, [batches.make_batch(copies, writer=writer)], parse_correctly)


def prune(database_url: str, *, parked: bool = False, before: int = BEFORE) -> list[DeletedBodies]:
    with connections.open(database_url, "retain") as connection:
        wish = RetentionPolicy(before, parked)
        looked = expired_events.preview(connection, wish)
        gone = list(expired_events.prune(connection, wish))
        again = expired_events.preview(connection, wish)
    # The counts must equal those of the dry run.
    assert (sum(one.bodies for one in gone), sum(one.size for one in gone)) == (looked.bodies, looked.size)
    assert tuple(one.dropped_partition for one in gone if one.dropped_partition) == looked.partitions
    assert (again.bodies, again.partitions, again.parked) == (0, (), looked.parked)
    return gone


def receipts(database_url: str) -> list[object]:
    return [receipt for (receipt,) in fetch_rows(database_url, "SELECT received_at FROM raw_events ORDER BY 1")]


def counted(database_url: str) -> object:
    with connections.open(database_url, "test") as connection:
        read = ledger.read(connection)
    return read.stored, read.duplicate, read.noise, read.ping, read.parked, read.forgotten


def test_exactly_the_old_bodies_are_deleted(kept: str) -> None:
    """Whole months are dropped, and other bodies deleted one by one. Digests, counts and messages do not change."""
    before = comparable_snapshot(kept)

    gone = prune(kept)

    after = comparable_snapshot(kept)
    assert [one.dropped_partition for one in gone if one.dropped_partition] == OLD_MONTHS
    assert receipts(kept) == list(RECEIPTS[OLD:])
    assert fetch_rows(kept, "SELECT count(*) FROM message_keys WHERE has_pruned_sources") == [(OLD,)]
    assert {table for table in before if before[table] != after[table]} == {"bodies"}


def test_late_copies_stay_duplicates(kept: str) -> None:
    """The identity of an event outlives its body, because otherwise a resent event would be counted as new."""
    before = comparable_snapshot(kept)
    prune(kept)

    keep(kept, writer="e" * 32)

    after = comparable_snapshot(kept)
    assert counted(kept) == (len(RECEIPTS), len(RECEIPTS), 0, 0, 0, 0)
    assert receipts(kept) == list(RECEIPTS[OLD:])
    assert after["messages"] == before["messages"]


def test_a_replay_keeps_facts_that_only_pruned_bodies_contained(kept: str) -> None:
    """A replay would take the remaining events for all events if it did not know that some are missing."""
    before = comparable_snapshot(kept)
    prune(kept)

    assert run_replay(kept, parse_correctly).difference_counts == {}
    assert comparable_snapshot(kept)["messages"] == before["messages"]


def test_parked_events_keep_their_bodies(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its body, a parked event could never be read. It moves out of its month and can be retried as before."""
    monkeypatch.setattr(partitions, "MONTHS_AHEAD", 2)
    with connections.open(database_url, "test") as connection:
        partitions.create_missing(connection)
    copies = [
        (text_event("one"), month_ms(0)),
        (text_event("two", 2), month_ms(2)),
        (text_event("three", 3), month_ms(3)),
    ]
    store_batches(database_url, [batches.make_batch(copies)], strange)

    gone = prune(database_url)

    assert [one.dropped_partition for one in gone if one.dropped_partition] == OLD_MONTHS
    assert fetch_rows(database_url, "SELECT event_id, tableoid::regclass::text FROM raw_events ORDER BY 1") == [
        (number, "raw_events_default") for number in (1, 2, 3)
    ]
    run_redrive(database_url, parse_correctly)
    assert fetch_rows(database_url, "SELECT message_id FROM whatsapp_messages ORDER BY 1") == [
        ("ID1",),
        ("ID2",),
        ("ID3",),
    ]
    assert counted(database_url) == (3, 0, 0, 0, 0, 0)


def test_parked_events_are_deleted_on_request(database_url: str) -> None:
    """Then the event can never be replayed, but it stays in the list and in the ledger with its outcome."""
    store_batches(
        database_url,
        [batches.make_batch([(text_event("one"), month_ms(0)), (text_event("two", 2), month_ms(2))])],
        strange,
    )

    prune(database_url, parked=True)

    assert receipts(database_url) == []
    assert fetch_rows(database_url, "SELECT event_id FROM parked_events") == [(None,), (None,)]
    assert run_redrive(database_url, parse_correctly).event_count == 0
    assert counted(database_url) == (0, 0, 0, 0, 2, 0)


def test_a_long_mixed_history_loses_only_its_bodies(database_url: str) -> None:
    """The history has events with several messages, moved LIDs, acks and edits. A replay afterwards changes nothing."""
    store_batches(database_url, list(batches.generate_batches(400)), parse_correctly)
    before = comparable_snapshot(database_url)
    prune(database_url, parked=True, before=10**15)

    assert fetch_rows(database_url, "SELECT count(*) FROM event_keys") == [(0,)]
    assert run_replay(database_url, parser_with_wrong_fields(type="image")).difference_counts == {}
    after = comparable_snapshot(database_url)
    assert {table for table in before if before[table] != after[table]} == {"bodies"}


def test_an_interrupted_deletion_continues_from_any_step(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is a transaction, and the tables show what is left to do."""
    monkeypatch.setattr(expired_events, "BATCH_SIZE", 1)
    monkeypatch.setattr(partition_drop, "PAGE_SIZE", 1)
    steps = 0
    while receipts(kept) != list(RECEIPTS[OLD:]):
        with connections.open(kept, "retain") as connection:
            steps += len([next(expired_events.prune(connection, POLICY))])
        assert run_replay(kept, parse_correctly).difference_counts == {}

    assert steps == 5


def test_a_month_that_is_being_read_is_emptied_and_dropped_the_next_time(
    kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump that runs for hours keeps no body alive, and retention blocks no writer."""
    monkeypatch.setattr(lock_retry, "LOCK_WAIT", 1)
    with psycopg.connect(kept) as dump, connections.open(kept, "retain") as connection:
        dump.execute("SELECT FROM raw_events LIMIT 1")
        gone = list(expired_events.prune(connection, POLICY))
        dump.rollback()
        later = list(expired_events.prune(connection, POLICY))

    assert [one.busy_partition for one in gone if one.busy_partition] == OLD_MONTHS
    assert sum(one.bodies for one in gone) == OLD
    assert [one.dropped_partition for one in later if one.dropped_partition] == OLD_MONTHS
    assert receipts(kept) == list(RECEIPTS[OLD:])


def test_writers_continue_during_the_deletion(kept: str) -> None:
    """Events of an old spool arrive while their month is dropped. None is refused, and none is lost unless expired."""
    over = threading.Event()
    written: list[int] = []

    def write() -> None:
        with connections.open(kept, "worker") as connection:
            while not over.is_set() or len(written) < 20:
                number = 100 + len(written)
                copies = [(text_event("late", number), RECEIPTS[number % len(RECEIPTS)])]
                batch = batches.make_batch(copies, number=number, writer=f"{number:032x}")
                retry_transient(lambda batch=batch: batches.store_batches(connection, [batch]))
                written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(3):
            with connections.open(kept, "retain") as connection:
                assert list(expired_events.prune(connection, POLICY)) is not None
    finally:
        over.set()
        thread.join()

    young = [receipt for receipt in receipts(kept) if isinstance(receipt, int) and receipt >= BEFORE]
    assert len(young) == 2 + sum(RECEIPTS[number % len(RECEIPTS)] >= BEFORE for number in written)
    assert fetch_rows(kept, "SELECT count(*) FROM whatsapp_messages") == [(len(RECEIPTS) + len(written),)]
    assert counted(kept) == (len(RECEIPTS) + len(written), 0, 0, 0, 0, 0)
    assert run_replay(kept, parse_correctly).difference_counts == {}


def test_a_replay_continues_during_the_deletion(kept: str) -> None:
    """Bodies that the replay has not read yet are deleted meanwhile, but no messages."""
    before = comparable_snapshot(kept)
    for _ in interleaved(kept):
        pass

    assert comparable_snapshot(kept)["messages"] == before["messages"]


def interleaved(database_url: str) -> Iterator[None]:
    """Run steps of a replay and of retention in turns."""
    plan = ReplayPlan(replay_parser(parse_correctly), batch_size=2)
    with replay.open_connection(database_url) as ours, connections.open(database_url, "retain") as connection:
        job = Replay(ours, plan)
        steps = expired_events.prune(connection, POLICY)
        while job.step():
            next(steps, None)
            yield
        assert job.report.difference_counts == {}


def strange(_: bytes) -> Outcome:
    return Outcome("parked", "strange", world.SESSIONS[0], "message.received", None)
