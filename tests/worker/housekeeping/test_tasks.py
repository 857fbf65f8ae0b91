"""Tests the tasks of a worker besides draining."""

from tests.support.pipeline import WorkerPipeline


def test_a_worker_prunes_expired_changes(pipeline: WorkerPipeline) -> None:
    """The feed must not outgrow the history, with or without an API."""
    pipeline.execute("INSERT INTO changes (kind, changed_at) VALUES ('session', now() - interval '49 hours')")
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
    made = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'raw_events'::regclass"
    before = pipeline.fetch_rows(made)
    pipeline.create_worker().start()

    assert pipeline.wait_until(lambda: pipeline.fetch_rows(made) != before, restart_workers=False), (
        pipeline.worker_output
    )
