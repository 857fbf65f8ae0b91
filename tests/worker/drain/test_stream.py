"""Tests faults while the stream is read: lost jobs, lost groups, several drains and unreadable entries."""

import signal
import time
from typing import Any

from dev.chaos.event_generator import EventGenerator
from ingest.queue import contract
from tests.support.processes.pipeline import WorkerPipeline
from worker.drain import stream
from worker.drain.stream import StreamConsumer

NEWER = {b"head": b'{"v":99,"chunks":[]}', b"bodies": b"", b"index": b"?"}
FOREIGN = {b"something": b"else"}


def test_a_lost_drain_job_is_replaced_by_any_running_worker(pipeline: WorkerPipeline) -> None:
    """A hint may be lost at any time, which must delay events by seconds and never lose them."""
    worker = pipeline.create_worker().start()
    assert pipeline.wait_until(lambda: pipeline.redis.scard("rq:workers") == 1), worker.output
    pipeline.feed.append(EventGenerator(41).take(10))

    # A lost hint is noticed within 3 s. The rest allows for a busy machine.
    assert pipeline.wait_until_drained(3 + 5), worker.output


def test_four_drains_at_once_store_each_event_once(pipeline: WorkerPipeline) -> None:
    """Systems scale with the number of workers, which share the stream, the chats and the keys."""
    pipeline.feed.append_all(EventGenerator(42).take(1_500), events_per_batch=3)
    for _ in range(4):
        pipeline.create_worker().start()
    for _ in range(4):
        pipeline.feed.enqueue_drain()

    assert pipeline.wait_until_drained(30), pipeline.worker_output
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


def test_two_workers_that_hold_the_same_entry_store_it_once(pipeline: WorkerPipeline) -> None:
    """A worker that was suspended for long continues with an entry that another worker has claimed meanwhile."""
    first = pipeline.create_worker().start()
    with pipeline.hold_session("BEGIN; LOCK TABLE batches IN SHARE MODE"):
        pipeline.feed.append(EventGenerator(43).take(20))
        assert pipeline.wait_until(lambda: pipeline.count_pending() == 1 and pipeline.has_lock_waiter()), first.output
        first.send_signal(signal.SIGSTOP)
        long_ago = {"idle": stream.ABANDONED_AFTER_MS + 1, "justid": True}
        pipeline.redis.xclaim(contract.STREAM, contract.CONSUMER_GROUP, "another", 0, ids(pipeline.redis), **long_ago)
        second = pipeline.create_worker().start()
        pipeline.feed.enqueue_drain()
        assert pipeline.wait_until(lambda: pipeline.count_lock_waiters() >= 2), second.output
        first.send_signal(signal.SIGCONT)

    assert pipeline.wait_until_drained(), pipeline.worker_output
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


def ids(redis: Any) -> list[bytes]:  # noqa: ANN401 - see Pipeline.redis
    """Return the entries that a consumer has not acknowledged."""
    return [
        entry["message_id"] for entry in redis.xpending_range(contract.STREAM, contract.CONSUMER_GROUP, "-", "+", 100)
    ]


def test_a_batch_that_is_in_the_stream_twice_is_counted_once(pipeline: WorkerPipeline) -> None:
    """The confirmation was lost, so the batch went through the spool, too. Both copies may be read together."""
    pipeline.feed.append(EventGenerator(54).take(20))
    [(_, fields)] = pipeline.redis.xrange(contract.STREAM)
    pipeline.feed.append_fields(fields)
    worker = pipeline.create_worker().start()

    assert pipeline.wait_until_drained(), worker.output
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


def test_a_redis_that_comes_back_empty_is_used_again(pipeline: WorkerPipeline) -> None:
    """After a flush, a failover to an empty replica or a new machine, workers recreate group and keys."""
    worker = pipeline.create_worker().start()
    pipeline.feed.append(EventGenerator(44).take(10))
    assert pipeline.wait_until_drained(), worker.output
    stored = list(pipeline.feed.written_bodies)
    pipeline.redis.flushdb()
    pipeline.feed.append(EventGenerator(45).take(10))

    assert pipeline.wait_until_drained(restart_workers=False), worker.output
    assert pipeline.judge().missing_events == 0
    assert len(stored) == 10


def test_an_unreadable_entry_is_set_aside_and_blocks_no_other(pipeline: WorkerPipeline) -> None:
    """During an upgrade, a newer ingest may write entries that an older worker cannot read. They must be kept."""
    pipeline.feed.append_fields(NEWER)
    pipeline.feed.append(EventGenerator(46).take(10))
    pipeline.feed.append_fields(FOREIGN)
    pipeline.feed.append(EventGenerator(47).take(10))
    worker = pipeline.create_worker().start()

    assert pipeline.wait_until_drained(restart_workers=False), worker.output
    aside = [fields for _, fields in pipeline.redis.xrange(stream.UNREADABLE_STREAM)]
    assert aside == [NEWER, FOREIGN]
    assert pipeline.judge().is_clean
    assert "Traceback" not in worker.output


def test_an_unreadable_newest_entry_blocks_no_other(pipeline: WorkerPipeline) -> None:
    """The newest entries are also read every second for the ledger, by other code."""
    worker = pipeline.create_worker().start()
    pipeline.feed.append(EventGenerator(46).take(10))
    assert pipeline.wait_until_drained(), worker.output
    for _ in range(3):
        pipeline.feed.append_fields(NEWER)
        pipeline.feed.append(EventGenerator(48).take(2))
        time.sleep(0.6)
        pipeline.feed.append_fields(FOREIGN)
        time.sleep(0.6)

    assert pipeline.wait_until_drained(restart_workers=False), worker.output
    assert worker.start_count == 1
    assert "Traceback" not in worker.output


def test_unreadable_entries_are_requeued_once_by_workers_that_start_together(pipeline: WorkerPipeline) -> None:
    """Every start requeues the entry. If each of many workers did, it would multiply."""
    for number in range(40):
        pipeline.redis.xadd(stream.UNREADABLE_STREAM, {**NEWER, b"number": str(number).encode()})
    for _ in range(3):
        pipeline.create_worker().start()
    pipeline.feed.append(EventGenerator(49).take(10))

    assert pipeline.wait_until_drained(), pipeline.worker_output
    assert pipeline.wait_until(lambda: pipeline.redis.xlen(stream.UNREADABLE_STREAM) >= 40), pipeline.worker_output
    numbers = [fields[b"number"] for _, fields in pipeline.redis.xrange(stream.UNREADABLE_STREAM)]
    assert sorted(numbers, key=int) == [str(number).encode() for number in range(40)]


def test_unreadable_entries_are_requeued_however_many_there_are(pipeline: WorkerPipeline) -> None:
    """An older worker may have set aside the entries of a newer ingest for hours."""
    batches = EventGenerator(50).take(2_500)
    writer = "c" * 32
    for number, body in enumerate(batches, 1):
        fields = contract.to_fields(contract.RawBatch(writer, number, number, (1_760_000_000_000,), (body,)))
        pipeline.redis.xadd(stream.UNREADABLE_STREAM, fields)
    pipeline.feed.written_bodies.extend(batches)
    pipeline.create_worker().start()

    assert pipeline.wait_until_drained(30), pipeline.worker_output
    assert pipeline.redis.xlen(stream.UNREADABLE_STREAM) == 0


def test_consumers_of_dead_workers_are_removed(pipeline: WorkerPipeline) -> None:
    """A killed worker cannot remove its consumer, whose pending entries must survive the removal by another worker."""
    pipeline.create_worker().start()
    pipeline.feed.append(EventGenerator(52).take(5))
    assert pipeline.wait_until_drained(), pipeline.worker_output
    pipeline.workers[0].kill()
    entry = pipeline.feed.append(EventGenerator(53).take(5))
    pipeline.redis.xreadgroup(contract.CONSUMER_GROUP, "holding", {contract.STREAM: ">"})
    StreamConsumer(pipeline.redis, "undertaker").remove_dead_consumers(idle_ms=0)

    assert [one["name"] for one in pipeline.redis.xinfo_consumers(contract.STREAM, contract.CONSUMER_GROUP)] == [
        b"holding"
    ]
    assert ids(pipeline.redis) == [entry]
