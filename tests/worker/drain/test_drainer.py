"""The drain's own limits: a job's time, a batch that takes long, more work than fits into one transaction."""

import time

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from dev.chaos.event_generator import Story
from ingest.queue import contract
from tests.support.pipeline import Pipeline

LOCK = "BEGIN; LOCK TABLE batches IN SHARE MODE"
SLOW = """
    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_sleep(0.03);
        RETURN NEW;
    END $$;
    CREATE TRIGGER slowly BEFORE INSERT ON batches FOR EACH ROW EXECUTE FUNCTION slowly();
"""
IMPATIENT = "from worker import drainer; drainer.ANSWER = 1.0"


def test_a_job_past_its_time_ends_and_is_not_swallowed_by_retrying(pipeline: Pipeline) -> None:
    """RQ's time-out is an exception like any other: a retry that catches everything ran a 1 s job for 4 s."""
    worker = pipeline.worker().start()
    with pipeline.holding(LOCK):
        pipeline.feed.add(Story(101).take(20))
        Queue(contract.QUEUE, connection=pipeline.redis, serializer=JSONSerializer).enqueue(  # pyright: ignore[reportUnknownMemberType] - RQ's arguments are any
            contract.JOB, job_timeout=1, result_ttl=0, failure_ttl=300
        )
        assert pipeline.until(lambda: "ended by JobTimeoutException" in worker.said, 15), worker.said
        assert pipeline.until(lambda: pipeline.waiting_for_locks() <= 1), "what it asked for was given up on both sides"

    assert pipeline.drained(), worker.said
    assert worker.starts == 1
    verdict = pipeline.judge()
    assert verdict.clean, verdict


@pytest.mark.long
def test_a_batch_that_takes_long_is_not_taken_for_a_dead_workers(pipeline: Pipeline) -> None:
    """Who works on something says so every other second; without that, two workers would do everything twice."""
    for _ in range(2):
        pipeline.worker().start()
    with pipeline.holding(LOCK):
        pipeline.feed.add(Story(102).take(20))
        assert pipeline.until(lambda: pipeline.pending() == 1 and pipeline.waits_for_a_lock()), pipeline.said
        [before] = pipeline.redis.xpending_range(contract.STREAM, contract.GROUP, "-", "+", 10)
        time.sleep(7)  # longer than it takes to be called dead
        [after] = pipeline.redis.xpending_range(contract.STREAM, contract.GROUP, "-", "+", 10)

    assert after["consumer"] == before["consumer"]
    assert after["times_delivered"] == before["times_delivered"] == 1
    assert pipeline.drained(), pipeline.said
    assert pipeline.judge().clean


@pytest.mark.long
@pytest.mark.timeout(300)
def test_more_than_fits_into_one_transaction_is_done_in_smaller_ones(pipeline: Pipeline) -> None:
    """How much is taken at a time follows from what came before: large entries after small ones must not block."""
    pipeline.run(SLOW)
    pipeline.feed.add_all(Story(103).take(400), size=2)
    worker = pipeline.worker(prelude=IMPATIENT).start()

    assert pipeline.drained(100), f"{pipeline.entries()} entries left; {worker.said}"
    assert "nothing drained" in worker.said, "it did take too much at first"
    assert pipeline.judge().clean
