"""What a worker does besides draining."""

from tests.support.pipeline import Pipeline


def test_a_worker_forgets_changes_that_are_old_enough(pipeline: Pipeline) -> None:
    """With or without an API: the feed must not outgrow the history."""
    pipeline.run("INSERT INTO changes (kind, changed_at) VALUES ('session', now() - interval '49 hours')")
    pipeline.run("INSERT INTO changes (kind, changed_at) VALUES ('session', now() - interval '25 hours')")
    pipeline.worker(FEED_DAYS="2").start()

    assert pipeline.until(lambda: pipeline.rows("SELECT count(*) FROM changes") == [(1,)], keep=False), pipeline.said


def test_how_long_changes_are_kept_is_a_number_of_days(pipeline: Pipeline) -> None:
    """A typing error must not empty the feed."""
    worker = pipeline.worker(FEED_DAYS="0").start()

    assert worker.wait() == 2
    assert "FEED_DAYS" in worker.said


def test_a_worker_makes_room_for_the_coming_months(pipeline: Pipeline) -> None:
    """Nobody is to remember that raw events need a partition in time."""
    made = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass"
    before = pipeline.rows(made)
    pipeline.worker().start()

    assert pipeline.until(lambda: pipeline.rows(made) != before, keep=False), pipeline.said
