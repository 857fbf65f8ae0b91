"""What costs too much to be asked at a scrape: a thread looks every half minute, and the page shows what it saw."""

import logging
import threading
import time

from redis import Redis
from redis.exceptions import RedisError

from store.history import sessions
from store.ledger import ledger
from store.postgres import connections, errors
from worker.commands import doctor
from worker.metrics.worker import Metrics

log = logging.getLogger("worker.housekeeping.slow_metrics")

EVERY = 30.0
SOON = 2.0
"""The same where a server was away, or no worker had looked at the stream yet."""
SHARE = 20
"""It rests this many times as long as it took: a ledger of millions of batches is not added up all day."""
ANSWER = 20.0
"""Seconds that PostgreSQL has."""
SESSIONS = 100
"""How many sessions are told of, those that spoke last: each is a label."""


class Survey:
    """On connections of its own, so that no drain waits for it."""

    def __init__(self, database_url: str, redis: Redis, metrics: Metrics) -> None:
        self._database_url = database_url
        self._redis = redis
        self._metrics = metrics

    def start(self) -> None:
        """Look until the process ends."""
        threading.Thread(target=self._run, name="survey", daemon=True).start()

    def look(self) -> bool:
        """Once; what cannot be seen is not shown either. Returns whether all could be seen."""
        seen = True
        try:
            with connections.open(self._database_url, "survey") as connection, connections.deadline(connection, ANSWER):
                read = ledger.read(connection)
                self._metrics.added_up(read)
                seen = read.waiting is not None
                self._metrics.spoke(sessions.last(connection, SESSIONS))
        except errors.StoreError as error:
            log.info("%s: nothing was looked at", error)
            self._metrics.saw_no_database()
            seen = False
        try:
            self._metrics.configured({one.name: one.answer == "ok" for one in doctor.configuration(self._redis)})
        except RedisError:
            self._metrics.configured({})
            seen = False
        return seen

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            pause = EVERY if self.look() else SOON
            time.sleep(max(pause, SHARE * (time.monotonic() - began)))
