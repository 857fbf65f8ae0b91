"""Checks the stream about once a second, records its state in PostgreSQL, and enqueues a missing drain job."""

import logging
import time
from typing import cast

from redis import Redis
from redis.exceptions import ResponseError
from rq import Queue
from rq.serializers import JSONSerializer

from ingest.queue import contract, writer_reports
from ingest.queue.contract import EntryFields
from store.erasure import suppressions
from store.feed import pruning
from store.ledger import stream_status, writers
from store.ledger.writers import Heartbeat, StreamPosition
from store.postgres import connections
from store.postgres.errors import TransientError
from worker.drain.database_marker import DatabaseRefusedError
from worker.drain.drainer import Drainer
from worker.drain.kept_entries import KeptEntries
from worker.metrics.worker import WorkerMetrics

log = logging.getLogger("worker.housekeeping.monitor")

INTERVAL_SECONDS = 1.0
CLEANING_SECONDS = 60.0
"""The time between two checks for writers that ended long ago, in seconds."""
DATABASE_DEADLINE_SECONDS = 5.0
"""The time limit in seconds for PostgreSQL, because no job timeout applies between jobs."""
_NEWEST_ENTRIES = 8
"""The number of newest entries from which the positions of writers without heartbeats are read."""
_ENDED_SECONDS = 3600.0
"""The time in seconds after which the last report of a writer that ended is removed from Redis."""


class StreamMonitor:
    """The checks of one worker. A single running worker is sufficient."""

    def __init__(self, redis: Redis, drainer: Drainer, kept: KeptEntries, metrics: WorkerMetrics) -> None:
        self._queue = Queue(contract.RQ_QUEUE, connection=redis, serializer=JSONSerializer)
        self.kept = kept
        self._drainer = drainer
        self._metrics = metrics
        self._next_tick_at = 0.0
        self._next_cleaning_at = 0.0
        self.rq_failure: str | None = None
        """The reason why workers drain without RQ, or None if they use it."""
        self.stalled_since: float | None = None
        """The time since which the oldest waiting entry is the same, by the monotonic clock, or None if none waits."""
        self._oldest_at: int | None = None
        self.unreadable = 0
        """The number of entries that are set aside."""
        self.checked_at = 0.0
        """The time of the last check, by the monotonic clock."""
        self.not_ready_reason: str | None = "not connected yet"
        """The reason why the worker is not ready, or None if it is."""
        self.is_refused = False
        """True if the stream's events belong to another database. This worker then takes neither entries nor jobs."""

    def tick(self) -> None:
        """Check the stream if a second has passed. Raises RedisError."""
        now = time.monotonic()
        if now < self._next_tick_at:
            return
        self._next_tick_at = now + INTERVAL_SECONDS
        stream = self._drainer.stream
        state = stream.state()
        length, oldest_at = state.uncommitted, state.oldest_uncommitted_at
        if oldest_at != self._oldest_at:
            self._oldest_at, self.stalled_since = oldest_at, None if oldest_at is None else now
        if oldest_at is None:
            self._drainer.failure = None  # no entry waits: another worker has stored what this one could not
        self._metrics.set_stream(length, age=0.0 if oldest_at is None else max(0.0, time.time() - oldest_at / 1000))
        self.kept.trim(state)
        self._metrics.set_kept(self.kept.size_bytes, seconds=self.kept.covered_seconds)
        newest = stream.newest_fields(_NEWEST_ENTRIES)
        positions = [position for fields in newest if (position := _stream_position(fields)) is not None]
        heartbeats = _read_heartbeats(stream.redis)
        self.unreadable = stream.unreadable_count()
        self._metrics.unreadable_entries.set(self.unreadable)
        try:
            self._drainer.verify_database()
            connection = self._drainer.connection()
            with connections.deadline(connection, DATABASE_DEADLINE_SECONDS):
                stream_status.record(
                    connection,
                    stream_length=length,
                    oldest_received_at=oldest_at,
                    positions=positions,
                    heartbeats=heartbeats,
                    unreadable=self.unreadable,
                    drain_failure=self._drainer.failure,
                )
                if now >= self._next_cleaning_at:
                    self._next_cleaning_at = now + CLEANING_SECONDS
                    ended = writers.find_ended(connection, [one.writer for one in heartbeats], _ENDED_SECONDS)
                    if ended:
                        stream.redis.hdel(contract.WRITERS, *ended)
                self._metrics.feed_lag.set(pruning.horizon_lag(connection))
                # Nothing may be stored without the suppression key, so the worker is not ready without it.
                suppressions.check_key(connection, self._drainer.suppressions)
            self.not_ready_reason, self.is_refused = None, False
        except TransientError as error:
            self.not_ready_reason, self.is_refused = str(error), isinstance(error, DatabaseRefusedError)
            log.warning("%s: new events stay in the stream", error)
        self.checked_at = time.monotonic()

    @property
    def drain_failure(self) -> str | None:
        """The reason why this worker's last drain failed, or None if it did not."""
        return self._drainer.failure

    @property
    def is_queue_empty(self) -> bool:
        """True if no job waits. Raises RedisError."""
        return self._queue.count == 0

    def ensure_drain_queued(self) -> None:
        """Enqueue a drain job if entries wait but no job does."""
        if self._drainer.stream.has_work():
            self.enqueue_drain()

    def enqueue_drain(self) -> None:
        """Enqueue a drain job, unless one already waits."""
        if self.is_queue_empty:
            self._queue.enqueue(  # pyright: ignore[reportUnknownMemberType] - RQ's arguments are any
                contract.RQ_JOB,
                job_timeout=contract.RQ_JOB_TIMEOUT_SECONDS,
                result_ttl=0,
                failure_ttl=contract.RQ_FAILURE_TTL_SECONDS,
            )


def _read_heartbeats(redis: Redis) -> list[Heartbeat]:
    try:
        fields = cast("dict[bytes, bytes]", redis.hgetall(contract.WRITERS))
    except ResponseError:  # a key of another type, or no permission: the positions in the entries are used instead
        return []
    return [
        Heartbeat(
            writer=report.writer,
            seen_at=report.seen_at,
            number=report.number,
            acknowledged_events=report.acknowledged_events,
            spooled_events=report.spooled_events,
            host=report.host,
            ended=report.ended,
        )
        for report in writer_reports.from_hash(fields)
    ]


def _stream_position(fields: EntryFields) -> StreamPosition | None:
    try:
        batch = contract.from_fields(fields)
    except contract.UnreadableEntryError:
        return None  # the drain sets the entry aside and logs it
    return StreamPosition(batch.writer, batch.number, batch.acknowledged_events, batch.spooled_events)
