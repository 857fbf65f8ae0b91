"""Group commit, as a reader of the stream sees it."""

import itertools
import time

from tests.support.ingest_process import IngestProcess, stream_batches
from tests.support.waiting import wait_until
from tests.support.webhook_load import WebhookLoad


def test_events_in_flight_together_are_one_entry_each_with_its_time(own_ingest: IngestProcess, redis_url: str) -> None:
    """An append per event is what a Redis with fsync cannot do fast; and each event still has its own receipt."""
    before = time.time_ns() // 1_000_000
    with WebhookLoad(own_ingest, clients=32) as load:
        time.sleep(1)
    found = stream_batches(redis_url)
    receipts = [receipt for batch in found for receipt in batch.received_at]

    assert load.failures == []
    assert sum(len(batch.bodies) for batch in found) == len(load.acknowledged)
    assert sum(bool(batch.bodies) for batch in found) < len(load.acknowledged)
    assert receipts == sorted(receipts)
    assert before <= receipts[0] <= receipts[-1] <= time.time_ns() // 1_000_000


def test_identities_count_without_gaps(own_ingest: IngestProcess, redis_url: str) -> None:
    """The ledger adds up because of these three numbers and nothing else."""
    with WebhookLoad(own_ingest):
        time.sleep(0.5)
    found = stream_batches(redis_url)

    assert len({batch.writer for batch in found}) == 1
    assert [batch.number for batch in found] == list(range(1, len(found) + 1))
    assert found[0].acknowledged_events == len(found[0].bodies)
    assert all(
        after.acknowledged_events == before.acknowledged_events + len(after.bodies)
        for before, after in itertools.pairwise(found)
    )


def test_an_idle_writer_sends_one_progress_batch(own_ingest: IngestProcess, redis_url: str) -> None:
    """Without it, nobody could know that the last batch was lost: nothing after it would show the gap."""
    own_ingest.post_webhook(b"x")
    own_ingest.post_webhook(b"y")
    wait_until(lambda: len(stream_batches(redis_url)) == 3)
    time.sleep(1.5)
    *_, tail = stream_batches(redis_url)

    assert (tail.number, tail.acknowledged_events, tail.bodies, tail.received_at) == (3, 2, (), ())
    assert len(stream_batches(redis_url)) == 3


def test_a_writer_that_shuts_down_sends_a_progress_batch(own_ingest: IngestProcess, redis_url: str) -> None:
    """A deploy is an idle writer too."""
    own_ingest.post_webhook(b"x")
    own_ingest.stop()

    assert [(batch.number, batch.acknowledged_events, batch.bodies) for batch in stream_batches(redis_url)] == [
        (1, 1, (b"x",)),
        (2, 1, ()),
    ]


def test_a_restart_is_another_writer(own_ingest: IngestProcess, redis_url: str) -> None:
    """Numbers begin at 1 again: under the old name they would be taken for copies and skipped."""
    own_ingest.post_webhook(b"x")
    own_ingest.kill()
    own_ingest.start()
    own_ingest.post_webhook(b"y")
    first, second = stream_batches(redis_url)[:2]

    assert first.writer != second.writer
    assert (first.number, second.number) == (1, 1)
