"""Drains the stream into PostgreSQL, several batches per transaction, storing each event once."""

import time
from collections.abc import Callable, Sequence

from redis import Redis
from redis.exceptions import RedisError
from rq.timeouts import JobTimeoutException

from ingest.queue.failpoints import Failpoints
from store.erasure.suppressions import SuppressionCache
from store.postgres.connections import Connection
from store.postgres.errors import TransientError
from telemetry.spans import Tracer
from worker.drain import claim, gc_pause, retry
from worker.drain.database_marker import DatabaseMarker
from worker.drain.entry_store import EntryStore, StoredEntries
from worker.drain.known_batches import KnownBatches
from worker.drain.stream import StreamConsumer, StreamEntry
from worker.drain.tracing import DrainTracing
from worker.drain.verified_database import VerifiedDatabase
from worker.metrics.worker import WorkerMetrics

DRAIN_SECONDS = 5.0
"""The time in seconds after which a job enqueues the next one and ends. RQ's timeout is far above it."""
READ_BLOCK_MS = 250
"""The time in ms that a read waits for new entries, which then need no job of their own."""
IDLE_SECONDS = 2.0
"""The time in seconds without new entries after which a drain ends."""
TARGET_EVENTS = 2048
"""The approximate number of events in a transaction, which writes the row of a chat once for all of its events."""
COALESCE_MIN_EVENTS = 32
"""The least number of events in a read that emptied the stream after which more are expected shortly."""
COALESCE_SECONDS = 0.05
"""The time in seconds to wait for more events after such a read. Under load, a transaction of twice the size costs
little more (docs/performance/profiles.md).
"""
TARGET_BYTES = 8 << 20
"""The approximate size of the bodies in a transaction."""


class Drainer:
    """The drain of one worker, over connections that last as long as the process."""

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
        self.failure: str | None = None
        """The reason why the last drain failed, or None after one that stored something."""
        self._database = VerifiedDatabase(database_url, DatabaseMarker(self.stream))
        self._metrics = metrics
        self._failpoints = failpoints
        self._tracing = DrainTracing(tracer)
        self._entry_store = EntryStore(
            self.stream,
            self._database,
            own_phone=own_phone,
            suppressions=suppressions,
            metrics=metrics,
            failpoints=failpoints,
            tracing=self._tracing,
            should_stop=lambda: self.stopping,
        )
        self._known_batches = KnownBatches(self.stream)
        self._read_count = 16
        self._is_searching = False
        """True if entries of this worker wait for the end of a search for rejected events."""

    def connection(self) -> Connection:
        """Return the connection to PostgreSQL, reopened if it broke. Raises TransientError and RedisError."""
        return self._database.connection()

    def verify_database(self) -> None:
        """Compare the database with the marker in Redis. Raises the errors of DatabaseMarker.verify."""
        self._database.verify()

    def run(self, on_tick: Callable[[], None]) -> bool:
        """Drain for a limited time and return whether entries are left. `on_tick` is called several times a second.

        Raises TransientError if PostgreSQL is unavailable all the time; the entries stay in the stream.
        """
        # Nothing is taken from the stream before the database is known to be the right one.
        retry.retry_transient(
            self.connection,
            seconds=DRAIN_SECONDS,
            should_stop=lambda: self.stopping,
            on_retry=self._metrics.retries.inc,
        )
        started = time.monotonic()
        last_entries_at = started
        while not self.stopping and time.monotonic() - started < DRAIN_SECONDS:
            on_tick()
            count = self._read_count
            entries = self.stream.claim_abandoned(count) or self.stream.read_new(count, block_ms=READ_BLOCK_MS)
            if not entries and self._is_searching:
                entries = self.stream.read_own(count)
                self._is_searching = bool(entries)
            if entries:
                self._require_same_database(entries)
                new = self._known_batches.acknowledge(self.connection, entries)
                events = self._drain_entries(new) if new else 0
                last_entries_at = time.monotonic()
                if events >= COALESCE_MIN_EVENTS and len(entries) < count:
                    time.sleep(COALESCE_SECONDS)
            elif time.monotonic() - last_entries_at > IDLE_SECONDS:
                break
        return not self.stopping and self.stream.has_work()

    def _require_same_database(self, entries: Sequence[StreamEntry]) -> None:
        """Raise DatabaseRefusedError if the entries now belong to another database."""
        if self.stream.generation == self._database.generation:
            return
        try:
            self._database.verify()
        except TransientError:
            self.stream.reset_delivery_counts([entry.id for entry in entries])
            raise

    def close(self) -> None:
        """Close the connection and remove the consumer if Redis can be reached."""
        self._tracing.close()
        self._database.close()
        try:
            self.stream.remove_consumer()
        except RedisError:
            return  # another worker removes the consumer after a day

    def _drain_entries(self, entries: Sequence[StreamEntry]) -> int:
        """Store and acknowledge these entries, or as many as there is time for. Return the number of their events."""
        ids = [entry.id for entry in entries]
        started = time.monotonic()
        stored = StoredEntries()
        self._failpoints.reach("worker.after_read")
        with gc_pause.paused(), claim.renewing(self.stream, ids), self._tracing.drain(entries):
            try:
                self._entry_store.store(entries, stored)
            except (TransientError, JobTimeoutException) as error:
                # The worker survived, so the entries are not suspect. Fewer of them may succeed.
                self._database.require_verification()
                self._read_count = max(1, len(entries) // 2)
                self._release_unstored(ids, stored)
                self.failure = str(error)
                raise
            finally:
                if stored.ids:
                    self._acknowledge(stored)
            self.failure = None
            self._is_searching = self._release_unstored(ids, stored)
        seconds = time.monotonic() - started
        self._metrics.record_drain(entries=len(stored.ids), outcome_counts=stored.outcome_counts, seconds=seconds)
        if stored.has_untried and not stored.ids:
            self._read_count = max(1, len(entries) // 2)
        elif not self._is_searching:
            self._adjust_read_count(entries, stored.events)
        self._known_batches.expect(stored.events > 0 and not stored.outcome_counts)
        return stored.events

    def _acknowledge(self, stored: StoredEntries) -> None:
        self._failpoints.reach("worker.after_commit")
        with self._tracing.step("XACK"):
            self.stream.acknowledge(stored.ids)
        self._failpoints.reach("worker.after_ack")

    def _release_unstored(self, ids: Sequence[bytes], stored: StoredEntries) -> bool:
        """Return entries that are not stored to the group without marking them as suspect.

        Return whether there are any.
        """
        stored_ids = frozenset(stored.ids)
        unstored = [id_ for id_ in ids if id_ not in stored_ids]
        self.stream.reset_delivery_counts(unstored)
        return bool(unstored)

    def _adjust_read_count(self, entries: Sequence[StreamEntry], events: int) -> None:
        """Adjust the number of entries per read so that they fill a transaction.

        An entry may have one event or hundreds.
        """
        size = sum(len(entry.fields.get(b"bodies", b"")) for entry in entries)
        fit = min(TARGET_EVENTS * len(entries) // (events + 1), TARGET_BYTES * len(entries) // (size + 1))
        self._read_count = max(1, min(TARGET_EVENTS, fit, self._read_count * 4))
