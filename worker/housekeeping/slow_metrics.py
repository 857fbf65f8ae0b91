"""What costs too much to be asked at a scrape: a thread looks every half minute, and the page shows what it saw."""

import logging
import threading
import time

from redis import Redis
from redis.exceptions import RedisError

from store.history import sessions
from store.ledger import ledger
from store.postgres import connections, errors
from worker import redis_settings
from worker.metrics.worker import WorkerMetrics

log = logging.getLogger("worker.housekeeping.slow_metrics")

INTERVAL_SECONDS = 30.0
RETRY_SECONDS = 2.0
"""The same where a server was away, or no worker had looked at the stream yet."""
REST_FACTOR = 20
"""It rests this many times as long as it took: a ledger of millions of batches is not added up all day."""
DATABASE_DEADLINE_SECONDS = 20.0
"""Seconds that PostgreSQL has."""
MAX_SESSIONS = 100
"""How many sessions are told of, those that spoke last: each is a label."""


class SlowMetrics:
    """On connections of its own, so that no drain waits for it."""

    def __init__(self, database_url: str, redis: Redis, metrics: WorkerMetrics) -> None:
        self._database_url = database_url
        self._redis = redis
        self._metrics = metrics

    def start(self) -> None:
        """Look until the process ends."""
        threading.Thread(target=self._run, name="survey", daemon=True).start()

    def refresh(self) -> bool:
        """Once; what cannot be seen is not shown either. Returns whether all could be seen."""
        seen = True
        try:
            with (
                connections.open(self._database_url, "survey") as connection,
                connections.deadline(connection, DATABASE_DEADLINE_SECONDS),
            ):
                read = ledger.read(connection)
                self._metrics.set_ledger(read)
                seen = read.waiting is not None
                self._metrics.set_session_times(sessions.last_activity(connection, MAX_SESSIONS))
        except errors.StoreError as error:
            log.info("%s: nothing was looked at", error)
            self._metrics.clear_database()
            seen = False
        try:
            findings = redis_settings.check(self._redis)
            self._metrics.set_redis_settings({finding.name: finding.severity == "ok" for finding in findings})
        except RedisError:
            self._metrics.set_redis_settings({})
            seen = False
        return seen

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            pause = INTERVAL_SECONDS if self.refresh() else RETRY_SECONDS
            time.sleep(max(pause, REST_FACTOR * (time.monotonic() - began)))
