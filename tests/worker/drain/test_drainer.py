"""Tests the limits of the drain: the time of a job, slow batches, and more work than fits into one transaction."""

import time

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from dev.chaos.event_generator import EventGenerator
from ingest.queue import contract
from tests.support.processes.pipeline import WorkerPipeline

LOCK = "BEGIN; LOCK TABLE batches IN SHARE MODE"
SLOW = """
    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_sleep(0.03);
        RETURN NEW;
    END $$;
    CREATE TRIGGER slowly BEFORE INSERT ON batches FOR EACH ROW EXECUTE FUNCTION slowly();
"""
IMPATIENT = "from worker.drain import entry_store; entry_store.TRANSACTION_DEADLINE_SECONDS = 1.0"


@pytest.mark.long
def test_a_job_past_its_timeout_ends_despite_retries(pipeline: WorkerPipeline) -> None:
    """RQ's timeout is an ordinary exception. A retry that caught everything ran a job with 1 s for 4 s."""
    worker = pipeline.create_worker().start()
    with pipeline.hold_session(LOCK):
        pipeline.feed.append(EventGenerator(101).take(20))
        Queue(contract.RQ_QUEUE, connection=pipeline.redis, serializer=JSONSerializer).enqueue(  # pyright: ignore[reportUnknownMemberType] - RQ's arguments are any
            contract.RQ_JOB, job_timeout=1, result_ttl=0, failure_ttl=300
        )
        assert pipeline.wait_until(lambda: "drain failed: JobTimeoutException" in worker.output, 15), worker.output
        assert pipeline.wait_until(lambda: pipeline.count_lock_waiters() <= 1), (
            "what it asked for was given up on both sides"
        )

    assert pipeline.wait_until_drained(), worker.output
    assert worker.start_count == 1
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


@pytest.mark.long
def test_a_slow_batch_is_not_claimed_by_another_worker(pipeline: WorkerPipeline) -> None:
    """A worker renews its claim every two seconds, because otherwise two workers would do the same work."""
    for _ in range(2):
        pipeline.create_worker().start()
    with pipeline.hold_session(LOCK):
        pipeline.feed.append(EventGenerator(102).take(20))
        assert pipeline.wait_until(lambda: pipeline.count_pending() == 1 and pipeline.has_lock_waiter()), (
            pipeline.worker_output
        )
        [before] = pipeline.redis.xpending_range(contract.STREAM, contract.CONSUMER_GROUP, "-", "+", 10)
        time.sleep(7)  # longer than the time after which a worker counts as dead
        [after] = pipeline.redis.xpending_range(contract.STREAM, contract.CONSUMER_GROUP, "-", "+", 10)

    assert after["consumer"] == before["consumer"]
    assert after["times_delivered"] == before["times_delivered"] == 1
    assert pipeline.wait_until_drained(), pipeline.worker_output
    assert pipeline.judge().is_clean


@pytest.mark.long
@pytest.mark.timeout(300)
def test_entries_too_large_for_one_transaction_are_stored_in_smaller_ones(pipeline: WorkerPipeline) -> None:
    """The number of entries depends on the earlier ones, so large entries after small ones must not block."""
    pipeline.execute(SLOW)
    pipeline.feed.append_all(EventGenerator(103).take(400), events_per_batch=2)
    worker = pipeline.create_worker(prelude=IMPATIENT).start()

    assert pipeline.wait_until_drained(100), f"{pipeline.count_entries()} entries left; {worker.output}"
    assert "the entries stay in the stream" in worker.output, "it did take too much at first"
    assert pipeline.judge().is_clean
