"""What a living worker looks after, about once a second: forgotten hints, what is left over, and the ledger's pulse."""

import logging
import time

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from ingest.queue import contract
from store.erasure import suppressions
from store.feed import pruning
from store.ledger import stream_status
from store.postgres import connections
from store.postgres.errors import TransientError
from worker.drain.drainer import Drainer
from worker.drain.stream import Fields
from worker.metrics.worker import Metrics

log = logging.getLogger("worker.housekeeping.monitor")

INTERVAL = 1.0
ANSWER = 5.0
"""Seconds that PostgreSQL has for a pulse: no job's time-out watches over the time between jobs."""
_NEWEST = 8
"""How many of the newest entries are asked how far their writers are."""


class Watch:
    """The once-a-second duties of one worker; any one living worker is enough."""

    def __init__(self, redis: Redis, drainer: Drainer, metrics: Metrics) -> None:
        self._queue = Queue(contract.QUEUE, connection=redis, serializer=JSONSerializer)
        self._drainer = drainer
        self._metrics = metrics
        self._next = 0.0
        self.ticked_at = 0.0
        """When it last looked, by the monotonic clock."""
        self.reason: str | None = "not connected yet"
        """Why the worker is not ready; None if it is."""

    def tick(self) -> None:
        """Note what the stream says, if a second has passed; raises redis.exceptions.RedisError."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + INTERVAL
        stream = self._drainer.stream
        length = stream.length()
        oldest_at = stream.oldest_at() if length else None
        self._metrics.saw(length=length, age=0.0 if oldest_at is None else max(0.0, time.time() - oldest_at / 1000))
        writers = [writer for fields in stream.newest(_NEWEST) if (writer := _writer(fields))] if length else []
        try:
            connection = self._drainer.connection()
            with connections.deadline(connection, ANSWER):
                stream_status.record(connection, length=length, oldest_at=oldest_at, writers=writers)
                self._metrics.lagged(pruning.lag(connection))
                # Whoever cannot tell who is forgotten writes nothing; and is not ready, which it says.
                suppressions.check(connection, self._drainer.known)
            self.reason = None
        except TransientError as error:
            self.reason = str(error)
            log.warning("%s: the stream keeps what comes until it is back", error)
        self.ticked_at = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether no job waits; raises redis.exceptions.RedisError."""
        return self._queue.count == 0

    def idle(self) -> None:
        """Between jobs: leave a hint if there is something to do and no job that would do it."""
        if self._queue.count == 0 and self._drainer.stream.waiting():
            self.hint()

    def hint(self) -> None:
        """Queue one drain, unless one is queued."""
        if self._queue.count == 0:
            self._queue.enqueue(contract.JOB, job_timeout=30, result_ttl=0, failure_ttl=300)  # pyright: ignore[reportUnknownMemberType] - RQ's arguments are any


def _writer(fields: Fields) -> stream_status.Writer | None:
    try:
        batch = contract.from_fields(fields)
    except contract.UnreadableEntryError:
        return None  # the drain puts it aside and says so
    return stream_status.Writer(batch.writer, batch.number, batch.upto, batch.spooled)
