"""Group commit, as a reader of the stream sees it."""

import itertools
import time

from tests.support.ingest_process import Ingest, batches, wait_until
from tests.support.webhook_load import Load


def test_events_in_flight_together_are_one_entry_each_with_its_time(fresh: Ingest, redis_url: str) -> None:
    """An append per event is what a Redis with fsync cannot do fast; and each event still has its own receipt."""
    before = time.time_ns() // 1_000_000
    with Load(fresh, clients=32) as load:
        time.sleep(1)
    found = batches(redis_url)
    receipts = [receipt for batch in found for receipt in batch.receipts]

    assert load.others == []
    assert sum(len(batch.bodies) for batch in found) == len(load.acknowledged)
    assert sum(bool(batch.bodies) for batch in found) < len(load.acknowledged)
    assert receipts == sorted(receipts)
    assert before <= receipts[0] <= receipts[-1] <= time.time_ns() // 1_000_000


def test_identities_count_without_gaps(fresh: Ingest, redis_url: str) -> None:
    """The ledger adds up because of these three numbers and nothing else."""
    with Load(fresh):
        time.sleep(0.5)
    found = batches(redis_url)

    assert len({batch.writer for batch in found}) == 1
    assert [batch.number for batch in found] == list(range(1, len(found) + 1))
    assert found[0].upto == len(found[0].bodies)
    assert all(after.upto == before.upto + len(after.bodies) for before, after in itertools.pairwise(found))


def test_an_idle_writer_tells_its_tail_once(fresh: Ingest, redis_url: str) -> None:
    """Without it, nobody could know that the last batch was lost: nothing after it would show the gap."""
    fresh.post(b"x")
    fresh.post(b"y")
    wait_until(lambda: len(batches(redis_url)) == 3)
    time.sleep(1.5)
    *_, tail = batches(redis_url)

    assert (tail.number, tail.upto, tail.bodies, tail.receipts) == (3, 2, (), ())
    assert len(batches(redis_url)) == 3


def test_a_writer_that_ends_tells_its_tail(fresh: Ingest, redis_url: str) -> None:
    """A deploy is an idle writer too."""
    fresh.post(b"x")
    fresh.stop()

    assert [(batch.number, batch.upto, batch.bodies) for batch in batches(redis_url)] == [(1, 1, (b"x",)), (2, 1, ())]


def test_a_restart_is_another_writer(fresh: Ingest, redis_url: str) -> None:
    """Numbers begin at 1 again: under the old name they would be taken for copies and skipped."""
    fresh.post(b"x")
    fresh.kill()
    fresh.start()
    fresh.post(b"y")
    first, second = batches(redis_url)[:2]

    assert first.writer != second.writer
    assert (first.number, second.number) == (1, 1)
