"""Tests the batching of requests, as a reader of the stream sees it."""

import itertools
import time
from pathlib import Path

from dev.chaos.faults.disk_shim import Faults
from ingest.queue.contract import RawBatch
from tests.support.attacks.webhook_load import WebhookLoad
from tests.support.processes.ingest_process import IngestProcess, stream_batches
from tests.support.servers.disk_faults import build_shim


def order(batches: list[RawBatch]) -> list[tuple[int, int]]:
    """Return the values that determine the order of the events: receipts, and places among equal receipts."""
    return [(receipt, b.first_order + index) for b in batches for index, receipt in enumerate(b.received_at)]


def test_events_in_flight_together_are_one_entry_each_with_its_time(own_ingest: IngestProcess, redis_url: str) -> None:
    """A Redis with fsync is slow if each event is a separate append. Each event still has its own receipt."""
    before = time.time_ns() // 1_000_000
    with WebhookLoad(own_ingest, clients=32) as load:
        load.wait_for(300)
    found = stream_batches(redis_url)
    receipts = [receipt for batch in found for receipt in batch.received_at]

    assert load.failures == []
    assert sum(len(batch.bodies) for batch in found) == len(load.acknowledged)
    assert len(found) < len(load.acknowledged)
    assert receipts == sorted(receipts)
    assert order(found) == sorted(set(order(found)))
    assert before <= receipts[0] <= receipts[-1] <= time.time_ns() // 1_000_000


def test_identities_count_without_gaps(own_ingest: IngestProcess, redis_url: str) -> None:
    """The ledger is calculated from these three numbers only."""
    with WebhookLoad(own_ingest) as load:
        load.wait_for(100)
    found = stream_batches(redis_url)

    assert len({batch.writer for batch in found}) == 1
    assert [batch.number for batch in found] == list(range(1, len(found) + 1))
    assert found[0].acknowledged_events == len(found[0].bodies)
    assert all(
        after.acknowledged_events == before.acknowledged_events + len(after.bodies)
        for before, after in itertools.pairwise(found)
    )


def test_receipts_grow_although_the_clock_is_set_back(redis_url: str, tmp_path: Path) -> None:
    """Receipts determine the order of messages, so they never decrease within a writer."""
    shim = build_shim(tmp_path, tmp_path)
    with IngestProcess(redis_url, tmp_path, **shim.environment) as ingest:
        for offset in (0, 0, -3600, -3600):
            shim.set(Faults(clock_offset_seconds=offset))
            ingest.post_webhook(b"%d" % offset)
    found = stream_batches(redis_url)

    assert len(found) == 4
    assert order(found) == sorted(set(order(found)))
    assert found[-1].received_at[0] - found[0].received_at[0] < 60_000


def test_a_restart_is_another_writer(own_ingest: IngestProcess, redis_url: str) -> None:
    """Numbers begin at 1 again. Under the old name, the batches would be taken for copies and skipped."""
    own_ingest.post_webhook(b"x")
    own_ingest.kill()
    own_ingest.start()
    own_ingest.post_webhook(b"y")
    found = {batch.bodies: batch for batch in stream_batches(redis_url)}
    first, second = found[b"x",], found[b"y",]

    assert first.writer != second.writer
    assert (first.number, second.number) == (1, 1)
