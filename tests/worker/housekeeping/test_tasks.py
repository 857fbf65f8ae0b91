"""Tests the tasks of a worker besides draining."""

from dev.chaos.event_generator import EventGenerator
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.servers.failing_triggers import CREATE_REJECTED_PRUNING_TRIGGER

EXPIRED_CHANGE = "INSERT INTO changes (kind, changed_at) VALUES ('session', now() - interval '49 hours')"
PARTITIONS = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'raw_events'::regclass"


def test_a_worker_prunes_expired_changes(pipeline: WorkerPipeline) -> None:
    """The feed must not outgrow the history, with or without an API."""
    pipeline.execute(EXPIRED_CHANGE)
    pipeline.execute("INSERT INTO changes (kind, changed_at) VALUES ('session', now() - interval '25 hours')")
    pipeline.create_worker(FEED_DAYS="2").start()

    assert pipeline.wait_until(
        lambda: pipeline.fetch_rows("SELECT count(*) FROM changes") == [(1,)], restart_workers=False
    ), pipeline.worker_output


def test_feed_days_must_be_a_number_of_days(pipeline: WorkerPipeline) -> None:
    """A typing error must not empty the feed."""
    worker = pipeline.create_worker(FEED_DAYS="0").start()

    assert worker.wait() == 2
    assert "FEED_DAYS" in worker.output


def test_a_worker_creates_partitions_for_the_coming_months(pipeline: WorkerPipeline) -> None:
    """Nobody should have to create the partitions in time."""
    before = pipeline.fetch_rows(PARTITIONS)
    pipeline.create_worker().start()

    assert pipeline.wait_until(lambda: pipeline.fetch_rows(PARTITIONS) != before, restart_workers=False), (
        pipeline.worker_output
    )


def test_a_task_that_postgresql_rejects_holds_up_neither_events_nor_other_tasks(pipeline: WorkerPipeline) -> None:
    """The worker used to end, and after each restart before it drained."""
    pipeline.execute(CREATE_REJECTED_PRUNING_TRIGGER)
    pipeline.execute(EXPIRED_CHANGE)
    before = pipeline.fetch_rows(PARTITIONS)
    pipeline.feed.append(EventGenerator(71).take(10))
    worker = pipeline.create_worker(FEED_DAYS="2").start()

    assert pipeline.wait_until_drained(restart_workers=False), worker.output
    assert pipeline.wait_until(lambda: pipeline.fetch_rows(PARTITIONS) != before, restart_workers=False), worker.output
    assert "pruning of the change feed postponed" in worker.output
    assert pipeline.fetch_rows("SELECT count(*) FROM changes WHERE changed_at < now() - interval '48 hours'") == [(1,)]
