"""The worker dies wherever it may be, and what was acknowledged is stored once all the same."""

import resource
import signal
from collections.abc import Callable

import pytest

from dev.chaos.event_generator import Story
from dev.chaos.managed_process import Program
from ingest.queue import contract
from tests.support.pipeline import Pipeline

PLACES = ("worker.after_read", "worker.before_commit", "worker.after_commit", "worker.after_ack")
EVENTS = 2_000

# At COMMIT the trigger waits for a lock that the test holds: the worker is then neither before nor after its commit.
AT_COMMIT = """
    CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(4711);
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON batches DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_at_commit();
"""
KILLER = """
import os, signal
from worker.sak import parser
read = parser.read
def touch(body):
    if b"KILLER" in body:
        os.kill(os.getpid(), signal.SIGKILL)
    return read(body)
parser.read = touch
"""


def test_killed_at_any_step_it_loses_and_doubles_nothing(new_pipeline: Callable[[], Pipeline]) -> None:
    """Each step between reading and acknowledging is a moment at which a machine can lose its power."""
    pipelines = {place: new_pipeline() for place in PLACES}
    for place, pipeline in pipelines.items():
        pipeline.feed.add_all(Story(11).take(EVENTS // 5), size=5)
        pipeline.worker().start(SAK_FAILPOINT=f"{place}:kill@1")
    for place, pipeline in pipelines.items():
        assert pipeline.workers[0].wait() == -signal.SIGKILL, place
        pipeline.workers[0].start()
    for place, pipeline in pipelines.items():
        assert pipeline.drained(), f"{place}: {pipeline.entries()} entries left; {pipeline.said}"
        verdict = pipeline.judge()

        assert verdict.clean, f"{place}: {verdict}"


def test_killed_again_and_again_in_two_thousand_events_it_stores_each_once(pipeline: Pipeline) -> None:
    """The everyday case: a deployment that kills instead of asking, while a backlog is being worked off."""
    worker = pipeline.worker().start()
    bodies = Story(12).take(EVENTS)
    for start in range(0, EVENTS, 500):
        before = pipeline.counted()
        pipeline.feed.add_all(bodies[start : start + 500], size=5)
        assert pipeline.until(lambda before=before: pipeline.counted() > before), pipeline.said
        worker.kill()
        worker.start()

    assert pipeline.drained(), f"{pipeline.entries()} entries left; {pipeline.said}"
    verdict = pipeline.judge()
    assert verdict.clean, verdict


def test_killed_during_its_commit_it_stores_the_batch_once(pipeline: Pipeline) -> None:
    """PostgreSQL finishes a COMMIT that it has begun, whoever asked for it: the batch comes again and is skipped."""
    pipeline.run(AT_COMMIT)
    worker = pipeline.worker().start()
    with pipeline.holding("SELECT pg_advisory_lock(4711)"):
        pipeline.feed.add(Story(13).take(20))
        assert pipeline.until(pipeline.waits_for_a_lock), pipeline.said
        worker.kill()
    assert pipeline.until(lambda: pipeline.counted() == 20, keep=False), "the commit went through without its worker"
    worker.start()

    assert pipeline.drained(), pipeline.said
    verdict = pipeline.judge()
    assert verdict.clean, verdict


def test_a_dead_workers_batch_is_taken_over_by_the_living(pipeline: Pipeline) -> None:
    """Nobody restarts the dead one here: another worker must notice by itself, within 15 s."""
    dying = pipeline.worker()
    pipeline.feed.add(Story(14).take(20))
    pipeline.feed.hint()
    dying.start(SAK_FAILPOINT="worker.after_read:kill")
    assert dying.wait() == -signal.SIGKILL
    pipeline.workers.remove(dying)
    other = pipeline.worker().start()
    pipeline.feed.add(Story(15).take(20))

    assert pipeline.drained(15), f"{pipeline.pending()} entries pending; {other.said}"


def test_a_worker_without_memory_is_replaced_and_all_is_stored(pipeline: Pipeline) -> None:
    """A leak, or a container that is too small, for a while: the next life goes on where this one could not."""
    worker = pipeline.worker(prelude="")
    pipeline.feed.add_all(Story(16).take(400), size=20)
    start_with_memory(worker, megabytes=40)
    assert pipeline.until(lambda: not worker.alive or "MemoryError" in worker.said, 15, keep=False), worker.said
    worker.kill()
    worker.start()

    assert pipeline.drained(), pipeline.said
    assert pipeline.judge().clean


def start_with_memory(worker: Program, megabytes: int) -> None:
    worker.start()
    resource.prlimit(worker.pid, resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


@pytest.mark.long
@pytest.mark.timeout(300)
def test_an_event_that_kills_whoever_reads_it_is_parked_unread_and_its_neighbours_are_stored(
    pipeline: Pipeline,
) -> None:
    """Three deaths make an entry suspect, three more at one place of it name the culprit; nobody else pays for it."""
    story = Story(17)
    before, killer, after = story.take(8), b'{"event":"KILLER","id":"K1"}', story.take(11)
    pipeline.feed.add([*before, killer, *after])
    worker = pipeline.worker(prelude=KILLER).start()
    assert pipeline.until(lambda: worker.starts > 1, 20), worker.said
    pipeline.feed.add_all(story.take(50))

    assert pipeline.drained(100), f"{pipeline.entries()} entries left after {worker.starts} lives; {worker.said}"
    assert pipeline.rows("SELECT reason, event_id IS NOT NULL FROM parked WHERE reason = 'kills_worker'") == [
        ("kills_worker", True)
    ]
    verdict = pipeline.judge()
    assert verdict.clean, verdict


def test_consumers_of_dead_workers_do_not_pile_up(pipeline: Pipeline) -> None:
    """A worker that is replaced every hour for years must not leave a trace in Redis for each of its lives."""
    worker = pipeline.worker()
    for number in range(2):
        pipeline.feed.add(Story(18 + number).take(5))
        worker.start()
        assert pipeline.drained(), worker.said
        worker.terminate()

    consumers = pipeline.redis.xinfo_consumers(contract.STREAM, contract.GROUP)

    assert consumers == []
