"""Drains the stream into PostgreSQL: several batches a transaction, each event once."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from redis import Redis
from redis.exceptions import RedisError
from rq.timeouts import JobTimeoutException

from ingest.queue import contract
from ingest.queue.failpoints import Failpoints
from store.erasure.suppressions import SuppressionCache
from store.feed import timelines
from store.ingestion import apply
from store.model.batches import Batch
from store.postgres import connections
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError, TransientError
from telemetry.spans import Tracer
from worker.drain import batch_log, claim, decoding, gc_pause, poison, retry
from worker.drain.stream import StreamConsumer, StreamEntry
from worker.drain.tracing import DrainTracing
from worker.metrics.worker import WorkerMetrics

log = logging.getLogger("worker.drain")

DRAIN_SECONDS = 5.0
"""Seconds that one job may take before it enqueues the next and ends; RQ's timeout is far above."""
READ_BLOCK_MS = 250
"""How long a read waits for new entries, which then need no job of their own."""
IDLE_SECONDS = 2.0
"""Seconds without new entries after which a drain ends."""
TARGET_EVENTS = 2048
"""Approximate events of a transaction, which writes a chat's row once, however many of them are in that chat."""
TRANSACTION_DEADLINE_SECONDS = 20.0
"""Seconds until a transaction's connection is closed: above PostgreSQL's statement timeout, below RQ's job timeout."""
Result = TypeVar("Result")

COALESCE_MIN_EVENTS = 32
"""Events of a read that emptied the stream, from which on more are expected at once."""
COALESCE_SECONDS = 0.05
"""Seconds to wait for them: under load a transaction of twice the size costs little more (docs/performance.md)."""
TARGET_BYTES = 8 << 20
"""Approximate bytes of bodies of a transaction."""


class Drainer:
    """One worker's drain, with its connections, which last as long as the process."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        redis: Redis,
        database_url: str,
        *,
        own_phone: str | None,
        suppressions: SuppressionCache,
        metrics: WorkerMetrics,
        failpoints: Failpoints,
        tracer: Tracer | None = None,
    ) -> None:
        self.suppressions = suppressions
        """The erased people, whose events are not stored."""
        self.stream = StreamConsumer(redis, f"worker-{time.time_ns():x}")
        self.stopping = False
        self._redis = redis
        self._database_url = database_url
        self._own_phone = own_phone
        self._metrics = metrics
        self._failpoints = failpoints
        self._tracing = DrainTracing(tracer)
        self._connection: Connection | None = None
        self._read_count = 16

    def connection(self) -> Connection:
        """The connection to PostgreSQL, reopened if it broke; raises TransientError."""
        if self._connection is not None and not connections.is_idle(self._connection):
            self._connection.close()
            self._connection = None
        if self._connection is None:
            self._connection = connections.open(self._database_url, "worker", overrides=connections.KEY_LOOKUP_SETTINGS)
            timelines.check(self._connection)
        return self._connection

    def run(self, on_tick: Callable[[], None]) -> bool:
        """Drain for a slice of time; returns whether entries are left. `on_tick` is called several times a second.

        Raises TransientError if PostgreSQL is away for the whole slice; the entries stay in the stream.
        """
        started = time.monotonic()
        last_entries_at = started
        while not self.stopping and time.monotonic() - started < DRAIN_SECONDS:
            on_tick()
            count = self._read_count
            entries = self.stream.claim_abandoned(count) or self.stream.read_new(count, block_ms=READ_BLOCK_MS)
            if entries:
                events = self._drain_entries(entries)
                last_entries_at = time.monotonic()
                if events >= COALESCE_MIN_EVENTS and len(entries) < count:
                    time.sleep(COALESCE_SECONDS)
            elif time.monotonic() - last_entries_at > IDLE_SECONDS:
                break
        return not self.stopping and self.stream.has_work()

    def close(self) -> None:
        """Close the connection and remove the consumer, if Redis can be reached."""
        self._tracing.close()
        if self._connection is not None:
            self._connection.close()
        try:
            self.stream.remove_consumer()
        except RedisError:
            return  # another worker removes the consumer after a day

    def _drain_entries(self, entries: Sequence[StreamEntry]) -> int:
        """Store and acknowledge these entries; returns their number of events."""
        ids = [entry.id for entry in entries]
        started = time.monotonic()
        self._failpoints.reach("worker.after_read")
        with gc_pause.paused(), claim.renewing(self.stream, ids), self._tracing.drain(entries):
            batches = self._decode([entry for entry in entries if entry.deaths < poison.MAX_DEATHS])
            try:
                counted = self._apply(batches) if batches else Counter[str]()
                for entry in entries:
                    if entry.deaths >= poison.MAX_DEATHS:
                        counted += self._apply_suspect(entry)
            except (TransientError, JobTimeoutException):
                # The worker survived, so the entries are not suspect; they may have been too many.
                self._read_count = 1
                self.stream.reset_delivery_counts(ids)
                raise
            self._failpoints.reach("worker.after_commit")
            with self._tracing.step("XACK"):
                self.stream.acknowledge(ids)
            self._failpoints.reach("worker.after_ack")
        self._metrics.record_drain(entries=len(ids), outcome_counts=counted, seconds=time.monotonic() - started)
        events = sum(len(batch.events) for batch in batches)
        self._adjust_read_count(entries, events)
        return events

    def _decode(self, entries: Sequence[StreamEntry]) -> list[Batch]:
        batches: list[Batch] = []
        for entry in entries:
            try:
                batches.append(decoding.batch(entry.fields))
            except contract.UnreadableEntryError as error:
                log.error("entry %s set aside as unreadable: %s", entry.id.decode(), error)  # noqa: TRY400 - no traceback needed
                self.stream.set_aside_unreadable(entry)
        return batches

    def _apply(self, batches: Sequence[Batch]) -> Counter[str]:
        try:
            return self._with_retries(lambda: self._commit(batches))
        except PermanentError as error:
            log.warning("%s: bisecting the batch for the rejected event", error)
        # Stores each batch alone; one that is rejected again is bisected for the rejected events.
        counted = Counter[str]()
        for batch in batches:
            try:
                counted += self._with_retries(lambda batch=batch: self._commit([batch]))
            except PermanentError:
                counted += self._with_retries(lambda batch=batch: self._commit([poison.bisect(batch, self._dry_run)]))
        return counted

    def _apply_suspect(self, entry: StreamEntry) -> Counter[str]:
        log.warning(
            "entry %s was delivered to %d workers that died; decoding event by event", entry.id.decode(), entry.deaths
        )
        try:
            batch = self._with_retries(lambda: poison.decode_suspect(self._redis, entry, self._dry_run))
        except contract.UnreadableEntryError:
            self.stream.set_aside_unreadable(entry)
            return Counter()
        counted = self._apply([batch])
        poison.clear_attempts(self._redis, entry)
        return counted

    def _commit(self, batches: Sequence[Batch]) -> Counter[str]:
        connection = self.connection()
        self._failpoints.reach("worker.before_commit")
        began = time.monotonic()
        deadline = connections.deadline(connection, TRANSACTION_DEADLINE_SECONDS)
        with deadline, self._tracing.step("PostgreSQL transaction"):
            counted = apply.batches(connection, batches, own_phone=self._own_phone, suppressions=self.suppressions)
        batch_log.log_stored(batches, counted, time.monotonic() - began)
        self._metrics.record_transaction(batches)
        return counted

    def _dry_run(self, batch: Batch) -> None:
        apply.dry_run(self.connection(), [batch], own_phone=self._own_phone, suppressions=self.suppressions)

    def _with_retries(self, work: Callable[[], Result]) -> Result:
        return retry.retry_transient(
            work, seconds=DRAIN_SECONDS, should_stop=lambda: self.stopping, on_retry=self._metrics.retries.inc
        )

    def _adjust_read_count(self, entries: Sequence[StreamEntry], events: int) -> None:
        """Read next time as many entries as fill a transaction: an entry has one event, or hundreds."""
        size = sum(len(entry.fields.get(b"bodies", b"")) for entry in entries)
        fit = min(TARGET_EVENTS * len(entries) // (events + 1), TARGET_BYTES * len(entries) // (size + 1))
        self._read_count = max(1, min(TARGET_EVENTS, fit, self._read_count * 4))
