"""Tests that acknowledged events are stored once, whenever the worker dies."""

import resource
import signal
from collections.abc import Callable

import pytest

from dev.chaos.event_generator import EventGenerator
from dev.embedded.managed_process import ManagedProcess
from ingest.queue import contract
from tests.support.processes.pipeline import WorkerPipeline

PLACES = ("worker.after_read", "worker.before_commit", "worker.after_commit", "worker.after_ack")
EVENTS = 2_000

# At COMMIT, the trigger waits for a lock that the test holds. The worker is then neither before nor after its commit.
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
from worker.senders.sak import parser
parse = parser.parse
def touch(body):
    if b"KILLER" in body:
        os.kill(os.getpid(), signal.SIGKILL)
    return parse(body)
parser.parse = touch
"""


def test_killed_at_any_step_it_loses_and_doubles_nothing(make_pipeline: Callable[[], WorkerPipeline]) -> None:
    """A machine can lose power at each step between reading and acknowledging."""
    pipelines = {place: make_pipeline() for place in PLACES}
    for place, pipeline in pipelines.items():
        pipeline.feed.append_all(EventGenerator(11).take(EVENTS // 5), events_per_batch=5)
        pipeline.create_worker().start(SAK_FAILPOINT=f"{place}:kill@1")
    for place, pipeline in pipelines.items():
        assert pipeline.workers[0].wait() == -signal.SIGKILL, place
        pipeline.workers[0].start()
    for place, pipeline in pipelines.items():
        assert pipeline.wait_until_drained(), (
            f"{place}: {pipeline.count_entries()} entries left; {pipeline.worker_output}"
        )
        verdict = pipeline.judge()

        assert verdict.is_clean, f"{place}: {verdict}"


@pytest.mark.long
def test_killed_again_and_again_in_two_thousand_events_it_stores_each_once(pipeline: WorkerPipeline) -> None:
    """A deployment may kill workers while they process a backlog."""
    worker = pipeline.create_worker().start()
    bodies = EventGenerator(12).take(EVENTS)
    for start in range(0, EVENTS, 500):
        before = pipeline.count_ledger_events()
        pipeline.feed.append_all(bodies[start : start + 500], events_per_batch=5)
        assert pipeline.wait_until(lambda before=before: pipeline.count_ledger_events() > before), (
            pipeline.worker_output
        )
        worker.kill()
        worker.start()

    assert pipeline.wait_until_drained(), f"{pipeline.count_entries()} entries left; {pipeline.worker_output}"
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


def test_killed_during_its_commit_it_stores_the_batch_once(pipeline: WorkerPipeline) -> None:
    """PostgreSQL finishes a COMMIT that it has begun, so the batch is delivered again and skipped."""
    pipeline.execute(AT_COMMIT)
    worker = pipeline.create_worker().start()
    with pipeline.hold_session("SELECT pg_advisory_lock(4711)"):
        pipeline.feed.append(EventGenerator(13).take(20))
        assert pipeline.wait_until(pipeline.has_lock_waiter), pipeline.worker_output
        worker.kill()
    assert pipeline.wait_until(lambda: pipeline.count_ledger_events() == 20, restart_workers=False), (
        "the commit went through without its worker"
    )
    worker.start()

    assert pipeline.wait_until_drained(), pipeline.worker_output
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


def test_a_dead_workers_batch_is_taken_over_by_the_living(pipeline: WorkerPipeline) -> None:
    """Nothing restarts the dead worker, so another must notice within 15 s."""
    dying = pipeline.create_worker()
    pipeline.feed.append(EventGenerator(14).take(20))
    pipeline.feed.enqueue_drain()
    dying.start(SAK_FAILPOINT="worker.after_read:kill")
    assert dying.wait() == -signal.SIGKILL
    pipeline.workers.remove(dying)
    other = pipeline.create_worker().start()
    pipeline.feed.append(EventGenerator(15).take(20))

    assert pipeline.wait_until_drained(15), f"{pipeline.count_pending()} entries pending; {other.output}"


def test_a_worker_without_memory_is_replaced_and_all_is_stored(pipeline: WorkerPipeline) -> None:
    """A leak or a small container may exhaust the memory for a while. The next process continues."""
    worker = pipeline.create_worker(prelude="")
    pipeline.feed.append_all(EventGenerator(16).take(400), events_per_batch=20)
    start_with_memory(worker, megabytes=40)
    assert pipeline.wait_until(
        lambda: not worker.is_running or "MemoryError" in worker.output, 15, restart_workers=False
    ), worker.output
    worker.kill()
    worker.start()

    assert pipeline.wait_until_drained(), pipeline.worker_output
    assert pipeline.judge().is_clean


def start_with_memory(worker: ManagedProcess, megabytes: int) -> None:
    worker.start()
    resource.prlimit(worker.pid, resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


@pytest.mark.long
@pytest.mark.timeout(300)
def test_an_event_that_kills_whoever_reads_it_is_parked_unread_and_its_neighbours_are_stored(
    pipeline: WorkerPipeline,
) -> None:
    """Three deaths make an entry suspect, and three more at the same event identify it. No other event is affected."""
    story = EventGenerator(17)
    before, killer, after = story.take(8), b'{"event":"KILLER","id":"K1"}', story.take(11)
    pipeline.feed.append([*before, killer, *after])
    worker = pipeline.create_worker(prelude=KILLER).start()
    assert pipeline.wait_until(lambda: worker.start_count > 1, 20), worker.output
    pipeline.feed.append_all(story.take(50))

    assert pipeline.wait_until_drained(100), (
        f"{pipeline.count_entries()} entries left after {worker.start_count} lives; {worker.output}"
    )
    assert pipeline.fetch_rows(
        "SELECT reason, event_id IS NOT NULL FROM parked_events WHERE reason = 'kills_worker'"
    ) == [("kills_worker", True)]
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


def test_consumers_of_dead_workers_do_not_pile_up(pipeline: WorkerPipeline) -> None:
    """Workers that are replaced every hour for years must not leave their consumers in Redis."""
    worker = pipeline.create_worker()
    for number in range(2):
        pipeline.feed.append(EventGenerator(18 + number).take(5))
        worker.start()
        assert pipeline.wait_until_drained(), worker.output
        worker.terminate()

    consumers = pipeline.redis.xinfo_consumers(contract.STREAM, contract.CONSUMER_GROUP)

    assert consumers == []
