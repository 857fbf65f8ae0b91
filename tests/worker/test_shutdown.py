"""Being told to stop: at once or soon, with nothing half done and nothing stranded."""

import signal
import time

import pytest

from dev.chaos.event_generator import Story
from ingest.queue import contract
from tests.support.pipeline import Pipeline

BATCH = 40


def stranded(pipeline: Pipeline) -> list[str]:
    """What a stopped worker left in Redis besides the stream: a hint that somebody took and nobody runs."""
    left = pipeline.redis.lrange(f"rq:queue:{contract.QUEUE}:intermediate", 0, -1)
    left += pipeline.redis.zrange(f"rq:wip:{contract.QUEUE}", 0, -1)
    return [str(name) for name in left]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("times", [4, pytest.param(30, marks=pytest.mark.long)])
def test_stopped_while_busy_it_leaves_nothing_behind(pipeline: Pipeline, times: int) -> None:
    """RQ's own worker loses a job in 5 of 30 such stops: its signal handler raises wherever Python happens to be."""
    story = Story(21)
    worker = pipeline.worker()
    for number in range(times):
        pipeline.feed.add_all(story.take(BATCH), size=2)
        before = pipeline.counted()
        worker.start()
        pipeline.feed.hint()
        assert pipeline.until(lambda before=before: pipeline.counted() > before, keep=False), worker.said
        pipeline.feed.add_all(story.take(BATCH), size=2)
        started = time.monotonic()
        assert worker.terminate() == 0, f"stop {number}: {worker.said}"

        assert time.monotonic() - started < 10
        assert pipeline.entries() == 0 or pipeline.pending() == 0, "an entry was left half done"
        assert stranded(pipeline) == []
    worker.start()

    assert pipeline.drained(), worker.said
    verdict = pipeline.judge()
    assert verdict.clean, verdict


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_changes_nothing(pipeline: Pipeline, number: signal.Signals) -> None:
    """Supervisors and people send it twice; the second one must not break off what the first one lets finish."""
    worker = pipeline.worker().start()
    with pipeline.holding("BEGIN; LOCK TABLE batches IN SHARE MODE"):
        pipeline.feed.add(Story(22).take(20))
        assert pipeline.until(pipeline.waits_for_a_lock), worker.said
        worker.send(number)
        time.sleep(0.5)
        worker.send(number)
        time.sleep(0.2)
        assert worker.alive, "its transaction is still open"

    assert worker.wait() == 0
    assert pipeline.counted() == 20
    assert pipeline.entries() == 0


@pytest.mark.long
def test_a_stop_ends_a_worker_whose_statement_hangs(pipeline: Pipeline) -> None:
    """Ten seconds is what supervisors give; PostgreSQL rolls back what was not committed, and the entry stays."""
    worker = pipeline.worker().start()
    with pipeline.holding("BEGIN; LOCK TABLE batches IN SHARE MODE"):
        pipeline.feed.add(Story(23).take(20))
        assert pipeline.until(pipeline.waits_for_a_lock), worker.said
        assert worker.terminate() == 0
    worker.start()

    assert pipeline.drained(), worker.said
    assert pipeline.judge().clean


def test_it_stops_while_redis_is_away(pipeline: Pipeline) -> None:
    """A deployment during an outage must not wait for the outage's end."""
    worker = pipeline.worker(REDIS_URL="redis://127.0.0.1:1/0").start()
    assert pipeline.until(lambda: "trying again" in worker.said, keep=False), worker.said

    assert worker.terminate() in (0, -signal.SIGTERM)


def test_it_ends_by_itself_after_many_jobs_and_its_successor_goes_on(pipeline: Pipeline) -> None:
    """What leaks a little, in us or in a library, is given back: the supervisor starts a new process."""
    worker = pipeline.worker(WORKER_MAX_JOBS="1").start()
    pipeline.feed.add(Story(24).take(20))
    assert worker.wait(15) == 0, worker.said
    pipeline.feed.add(Story(25).take(20))

    assert pipeline.drained(), worker.said
    assert worker.starts > 1
