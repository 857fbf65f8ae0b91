"""Checks the stream about once a second: records its state in PostgreSQL, and enqueues a drain that is missing."""

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
from worker.drain.kept_entries import KeptEntries
from worker.drain.stream import EntryFields
from worker.metrics.worker import WorkerMetrics

log = logging.getLogger("worker.housekeeping.monitor")

INTERVAL_SECONDS = 1.0
DATABASE_DEADLINE_SECONDS = 5.0
"""Seconds that PostgreSQL has for it: between jobs no job timeout applies."""
_NEWEST_ENTRIES = 8
"""Newest entries from which the writers' positions are read."""


class StreamMonitor:
    """One worker's checks; a single running worker is enough."""

    def __init__(self, redis: Redis, drainer: Drainer, kept: KeptEntries, metrics: WorkerMetrics) -> None:
        self._queue = Queue(contract.RQ_QUEUE, connection=redis, serializer=JSONSerializer)
        self.kept = kept
        self._drainer = drainer
        self._metrics = metrics
        self._next_tick_at = 0.0
        self.checked_at = 0.0
        """Time of the last check, by the monotonic clock."""
        self.not_ready_reason: str | None = "not connected yet"
        """Why the worker is not ready; None if it is."""

    def tick(self) -> None:
        """Check the stream if a second has passed; raises RedisError."""
        now = time.monotonic()
        if now < self._next_tick_at:
            return
        self._next_tick_at = now + INTERVAL_SECONDS
        stream = self._drainer.stream
        state = stream.state()
        length, oldest_at = state.uncommitted, state.oldest_uncommitted_at
        self._metrics.set_stream(length, age=0.0 if oldest_at is None else max(0.0, time.time() - oldest_at / 1000))
        self.kept.trim(state)
        self._metrics.set_kept(self.kept.size_bytes, seconds=self.kept.covered_seconds)
        newest = stream.newest_fields(_NEWEST_ENTRIES)
        writers = [writer for fields in newest if (writer := _writer_progress(fields)) is not None]
        try:
            connection = self._drainer.connection()
            with connections.deadline(connection, DATABASE_DEADLINE_SECONDS):
                stream_status.record(connection, stream_length=length, oldest_received_at=oldest_at, writers=writers)
                self._metrics.feed_lag.set(pruning.horizon_lag(connection))
                # Without the key of erased people's fingerprints nothing may be stored: not ready.
                suppressions.check_key(connection, self._drainer.suppressions)
            self.not_ready_reason = None
        except TransientError as error:
            self.not_ready_reason = str(error)
            log.warning("%s: new events stay in the stream", error)
        self.checked_at = time.monotonic()

    @property
    def is_queue_empty(self) -> bool:
        """Whether no job waits; raises RedisError."""
        return self._queue.count == 0

    def ensure_drain_queued(self) -> None:
        """Enqueue a drain job if entries wait and no job does."""
        if self._drainer.stream.has_work():
            self.enqueue_drain()

    def enqueue_drain(self) -> None:
        """Enqueue a drain job unless one waits."""
        if self.is_queue_empty:
            self._queue.enqueue(  # pyright: ignore[reportUnknownMemberType] - RQ's arguments are any
                contract.RQ_JOB,
                job_timeout=contract.RQ_JOB_TIMEOUT_SECONDS,
                result_ttl=0,
                failure_ttl=contract.RQ_FAILURE_TTL_SECONDS,
            )


def _writer_progress(fields: EntryFields) -> stream_status.WriterPosition | None:
    try:
        batch = contract.from_fields(fields)
    except contract.UnreadableEntryError:
        return None  # the drain sets it aside and logs it
    return stream_status.WriterPosition(batch.writer, batch.number, batch.acknowledged_events, batch.spooled_events)
