"""Retention and workers run at the same time, take locks in the same order, and both finish."""

from collections.abc import Callable

from dev.chaos.event_generator import EventGenerator
from store.postgres import connections
from store.retention import expired_events, expired_messages
from store.retention.expired_events import RetentionPolicy
from tests.support.processes.pipeline import WorkerPipeline

EVENTS = 1_200
ALL = 10**15
"""A time after every message."""


def test_workers_and_retention_do_not_stop_each_other(make_pipeline: Callable[[], WorkerPipeline]) -> None:
    """Events that arrive meanwhile are counted once, and a drain restores nothing that was deleted."""
    pipeline = make_pipeline()
    bodies = EventGenerator(31).take(EVENTS)
    workers = [pipeline.create_worker().start() for _ in range(2)]
    with connections.open(pipeline.database_url, "retain") as connection:

        def forget() -> bool:
            for _ in expired_messages.prune(connection, ALL):
                pass
            for _ in expired_events.prune(connection, RetentionPolicy(ALL, include_parked=False)):
                pass
            return pipeline.count_entries() == 0

        pipeline.feed.append_all(bodies, events_per_batch=5)
        assert pipeline.wait_until(forget, 60), pipeline.worker_output
        # Deliver every event again while the rest is being deleted.
        pipeline.feed.append_all(bodies, events_per_batch=5)
        assert pipeline.wait_until(forget, 60), pipeline.worker_output
        assert pipeline.wait_until_drained(60), pipeline.worker_output
        forget()

    assert all(worker.start_count == 1 for worker in workers), pipeline.worker_output
    assert pipeline.count_ledger_events() == 2 * EVENTS
    assert pipeline.fetch_rows("SELECT count(*) FROM whatsapp_messages") == [(0,)]
    assert pipeline.fetch_rows("SELECT count(*) FROM chats WHERE unread <> 0 OR last_timestamp IS NOT NULL") == [(0,)]
    assert pipeline.fetch_rows(
        "SELECT count(*) FROM raw_events AS e WHERE e.digest NOT IN (SELECT digest FROM parked_events)"
    ) == [(0,)]
