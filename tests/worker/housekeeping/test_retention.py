"""Forgetting by age while real workers drain: both take the same locks in the same order, and both get done."""

from collections.abc import Callable

from dev.chaos.event_generator import Story
from store.postgres import connections
from store.retention import expired_events, expired_messages
from store.retention.expired_events import Wish
from tests.support.pipeline import Pipeline

EVENTS = 1_200
ALL = 10**15
"""A moment before which everything is."""


def test_workers_and_retention_do_not_stop_each_other(new_pipeline: Callable[[], Pipeline]) -> None:
    """Whatever arrives meanwhile is counted once; and nothing that was retired comes back by what drains behind it."""
    pipeline = new_pipeline()
    told = Story(31).take(EVENTS)
    workers = [pipeline.worker().start() for _ in range(2)]
    with connections.open(pipeline.database_url, "retain") as connection:

        def forget() -> bool:
            for _ in expired_messages.retire(connection, ALL):
                pass
            for _ in expired_events.prune(connection, Wish(ALL, parked=False)):
                pass
            return pipeline.entries() == 0

        pipeline.feed.add_all(told, size=5)
        assert pipeline.until(forget, 60), pipeline.said
        # Every event once more, while what is left of it goes.
        pipeline.feed.add_all(told, size=5)
        assert pipeline.until(forget, 60), pipeline.said
        assert pipeline.drained(60), pipeline.said
        forget()

    assert all(worker.starts == 1 for worker in workers), pipeline.said
    assert pipeline.counted() == 2 * EVENTS
    assert pipeline.rows("SELECT count(*) FROM whatsapp_messages") == [(0,)]
    assert pipeline.rows("SELECT count(*) FROM chats WHERE unread <> 0 OR last_timestamp IS NOT NULL") == [(0,)]
    assert pipeline.rows("SELECT count(*) FROM events AS e WHERE e.digest NOT IN (SELECT digest FROM parked)") == [(0,)]
