"""Signals end a worker soon, without a half-stored batch and without a stranded job."""

import signal
import time

import pytest

from dev.chaos.event_generator import EventGenerator
from ingest.queue import contract
from tests.support.processes.pipeline import WorkerPipeline

BATCH = 40


def stranded(pipeline: WorkerPipeline) -> list[str]:
    """Return the jobs that a stopped worker left in Redis, taken but not run."""
    left = pipeline.redis.lrange(f"rq:queue:{contract.RQ_QUEUE}:intermediate", 0, -1)
    left += pipeline.redis.zrange(f"rq:wip:{contract.RQ_QUEUE}", 0, -1)
    return [str(name) for name in left]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("times", [4, pytest.param(30, marks=pytest.mark.long)])
def test_stopped_while_busy_it_leaves_nothing_behind(pipeline: WorkerPipeline, times: int) -> None:
    """RQ's own worker loses a job in 5 of 30 such stops, because its signal handler raises an exception anywhere."""
    story = EventGenerator(21)
    worker = pipeline.create_worker()
    for number in range(times):
        pipeline.feed.append_all(story.take(BATCH), events_per_batch=2)
        before = pipeline.count_ledger_events()
        worker.start()
        pipeline.feed.enqueue_drain()
        assert pipeline.wait_until(
            lambda before=before: pipeline.count_ledger_events() > before, restart_workers=False
        ), worker.output
        pipeline.feed.append_all(story.take(BATCH), events_per_batch=2)
        started = time.monotonic()
        assert worker.terminate() == 0, f"stop {number}: {worker.output}"

        assert time.monotonic() - started < 10
        assert pipeline.count_entries() == 0 or pipeline.count_pending() == 0, "an entry was left half done"
        assert stranded(pipeline) == []
    worker.start()

    assert pipeline.wait_until_drained(), worker.output
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_changes_nothing(pipeline: WorkerPipeline, number: signal.Signals) -> None:
    """Supervisors and people send a signal twice. The second one must not interrupt the current batch."""
    worker = pipeline.create_worker().start()
    with pipeline.hold_session("BEGIN; LOCK TABLE batches IN SHARE MODE"):
        pipeline.feed.append(EventGenerator(22).take(20))
        assert pipeline.wait_until(pipeline.has_lock_waiter), worker.output
        worker.send_signal(number)
        time.sleep(0.5)
        worker.send_signal(number)
        time.sleep(0.2)
        assert worker.is_running, "its transaction is still open"

    assert worker.wait() == 0
    assert pipeline.count_ledger_events() == 20
    assert pipeline.count_entries() == 0


@pytest.mark.long
def test_a_stop_ends_a_worker_whose_statement_hangs(pipeline: WorkerPipeline) -> None:
    """Supervisors give ten seconds. PostgreSQL rolls back an open transaction, and the entry stays in the stream."""
    worker = pipeline.create_worker().start()
    with pipeline.hold_session("BEGIN; LOCK TABLE batches IN SHARE MODE"):
        pipeline.feed.append(EventGenerator(23).take(20))
        assert pipeline.wait_until(pipeline.has_lock_waiter), worker.output
        assert worker.terminate() == 0
    worker.start()

    assert pipeline.wait_until_drained(), worker.output
    assert pipeline.judge().is_clean


def test_it_stops_while_redis_is_away(pipeline: WorkerPipeline) -> None:
    """A deployment during an outage must not wait for its end."""
    worker = pipeline.create_worker(REDIS_URL="redis://127.0.0.1:1/0").start()
    assert pipeline.wait_until(lambda: "retrying" in worker.output, restart_workers=False), worker.output

    assert worker.terminate() in (0, -signal.SIGTERM)


def test_it_ends_by_itself_after_many_jobs_and_its_successor_goes_on(pipeline: WorkerPipeline) -> None:
    """The memory of small leaks is released when the supervisor starts a new process."""
    worker = pipeline.create_worker(WORKER_MAX_JOBS="1").start()
    pipeline.feed.append(EventGenerator(24).take(20))
    assert worker.wait(15) == 0, worker.output
    pipeline.feed.append(EventGenerator(25).take(20))

    assert pipeline.wait_until_drained(), worker.output
    assert worker.start_count > 1
