"""Reads metrics that are too slow for a scrape, every half minute in a thread. A scrape shows the last result."""

import logging
import threading
import time

from redis import Redis
from redis.exceptions import RedisError

from store.history.sessions import sessions
from store.ledger import ledger
from store.postgres import connections, errors
from worker import redis_settings
from worker.metrics.worker import WorkerMetrics

log = logging.getLogger("worker.housekeeping.slow_metrics")

INTERVAL_SECONDS = 30.0
RETRY_SECONDS = 2.0
"""The time in seconds before a retry after a failure, or before a worker has checked the stream."""
REST_FACTOR = 20
"""The least ratio of the pause to the time of the reading, which may add up millions of batches."""
DATABASE_DEADLINE_SECONDS = 20.0
"""The time limit in seconds for PostgreSQL."""
MAX_SESSIONS = 100
"""The number of sessions with a metric, the most recently active ones, because each is a label."""


class SlowMetrics:
    """A thread that refreshes the slow metrics over its own connections, so that it does not delay drains."""

    def __init__(self, database_url: str, redis: Redis, metrics: WorkerMetrics) -> None:
        self._database_url = database_url
        self._redis = redis
        self._snapshot = metrics.snapshot

    def start(self) -> None:
        """Start a background thread that refreshes the metrics until the process ends."""
        threading.Thread(target=self._run, name="slow-metrics", daemon=True).start()

    def refresh(self) -> bool:
        """Read all metrics once and clear those that cannot be read. Return whether all could be read."""
        is_complete = True
        try:
            with (
                connections.open(self._database_url, "slow-metrics") as connection,
                connections.deadline(connection, DATABASE_DEADLINE_SECONDS),
            ):
                totals = ledger.read(connection)
                self._snapshot.ledger = totals
                is_complete = totals.waiting is not None
                self._snapshot.last_event_at = sessions.last_activity(connection, MAX_SESSIONS)
        except errors.StoreError as error:
            log.info("%s: no slow metrics", error)
            self._snapshot.ledger, self._snapshot.last_event_at = None, {}
            is_complete = False
        try:
            findings = redis_settings.check(self._redis)
            self._snapshot.redis_settings = {finding.name: finding.severity == "ok" for finding in findings}
        except RedisError:
            self._snapshot.redis_settings = {}
            is_complete = False
        return is_complete

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            pause = INTERVAL_SECONDS if self.refresh() else RETRY_SECONDS
            time.sleep(max(pause, REST_FACTOR * (time.monotonic() - began)))
