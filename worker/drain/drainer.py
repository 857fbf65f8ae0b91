"""The drain: what waits in the stream goes to PostgreSQL, once each, in one transaction per handful of batches."""

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
from store.erasure.suppressions import Forgets
from store.feed import timelines
from store.ingestion import apply
from store.model.batches import Batch
from store.postgres import connections
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError, TransientError
from telemetry.traces import Traces
from worker.drain import batch_log, claim, decoding, gc_pause, poison, retry
from worker.drain.stream import Entry, Stream
from worker.drain.tracing import Tracing
from worker.metrics.worker import Metrics

log = logging.getLogger("worker.drain")

SLICE = 5.0
"""Seconds that one job may take before it leaves a hint and ends; RQ's time-out is far above."""
LINGER_MS = 250
"""How long a drain waits for more at a time; what comes meanwhile needs no job."""
PATIENCE = 2.0
"""Seconds without anything new after which a drain ends."""
EVENTS = 2048
"""About as many events go into one transaction: a chat's row is written once in it, however many of them are its."""
ANSWER = 20.0
"""Seconds that a transaction may take before the connection is given up: above PostgreSQL's own limit of a statement,
below that of a job."""
Result = TypeVar("Result")

GATHERED = 32
"""Events that were all there was, and from which on more are known to be on their way."""
GATHERING = 0.05
"""Seconds that those are given: under load a handful of twice the size costs little more (docs/performance.md)."""
BYTES = 8 << 20
"""About as many bytes of bodies are taken at a time."""


class Drainer:
    """One worker's drain, with its connections, which live as long as the process."""

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        redis: Redis,
        database_url: str,
        *,
        own_phone: str | None,
        known: Forgets,
        metrics: Metrics,
        failpoints: Failpoints,
        traces: Traces | None = None,
    ) -> None:
        self.known = known
        """Who is forgotten."""
        self.stream = Stream(redis, f"worker-{time.time_ns():x}")
        self.stopping = False
        self._redis = redis
        self._database_url = database_url
        self._own_phone = own_phone
        self._metrics = metrics
        self._failpoints = failpoints
        self._tracing = Tracing(traces)
        self._connection: Connection | None = None
        self._count = 16

    def connection(self) -> Connection:
        """The connection to PostgreSQL, a new one where the last broke; raises TransientError."""
        if self._connection is not None and not connections.is_idle(self._connection):
            self._connection.close()
            self._connection = None
        if self._connection is None:
            self._connection = connections.open(self._database_url, "worker", bounds=connections.BY_KEY)
            timelines.look(self._connection)
        return self._connection

    def run(self, tick: Callable[[], None]) -> bool:
        """Drain for a slice of time; returns whether there is more to do. `tick` is called about every second.

        Raises TransientError when PostgreSQL stayed away for the slice: the entries stay where they are.
        """
        started = time.monotonic()
        busy = started
        while not self.stopping and time.monotonic() - started < SLICE:
            tick()
            count = self._count
            entries = self.stream.take_over(count) or self.stream.read(count, block_ms=LINGER_MS)
            if entries:
                events = self._store(entries)
                busy = time.monotonic()
                if events >= GATHERED and len(entries) < count:
                    time.sleep(GATHERING)
            elif time.monotonic() - busy > PATIENCE:
                self.sweep()
                break
        if self.stopping:
            return False
        return self.stream.waiting()

    def sweep(self) -> None:
        """Store, if need be, and remove what is acknowledged and still in the stream."""
        if entries := self.stream.leftovers(self._count):
            self._store(entries)

    def close(self) -> None:
        """Let PostgreSQL go, and the consumer in Redis, if that can be reached."""
        self._tracing.close()
        if self._connection is not None:
            self._connection.close()
        try:
            self.stream.leave()
        except RedisError:
            return  # a worker that lives a day longer buries it

    def _store(self, entries: Sequence[Entry]) -> int:
        """Store and remove these entries; returns how many events they held."""
        ids = [entry.id for entry in entries]
        started = time.monotonic()
        self._failpoints.reach("worker.after_read")
        with gc_pause.collected_later(), claim.held(self.stream, ids), self._tracing.drained(entries):
            batches = self._read([entry for entry in entries if entry.deaths < poison.DEATHS])
            try:
                counted = self._apply(batches) if batches else Counter[str]()
                for entry in entries:
                    if entry.deaths >= poison.DEATHS:
                        counted += self._apply_carefully(entry)
            except (TransientError, JobTimeoutException):
                # Alive and unable: that is no evidence against the entries. It may be that they were too many.
                self._count = 1
                self.stream.survived(ids)
                raise
            self._failpoints.reach("worker.after_commit")
            with self._tracing.step("XACK"):
                self.stream.done(ids)
            self._failpoints.reach("worker.after_ack")
        self._metrics.drained(entries=len(ids), counted=counted, seconds=time.monotonic() - started)
        events = sum(len(batch.events) for batch in batches)
        self._pace(entries, events)
        return events

    def _read(self, entries: Sequence[Entry]) -> list[Batch]:
        batches: list[Batch] = []
        for entry in entries:
            try:
                batches.append(decoding.batch(entry.fields))
            except contract.UnreadableEntryError as error:
                log.error("entry %s is put aside: %s", entry.id.decode(), error)  # noqa: TRY400 - the cause is said
                self.stream.put_aside(entry)
        return batches

    def _apply(self, batches: Sequence[Batch]) -> Counter[str]:
        try:
            return self._patiently(lambda: self._write(batches))
        except PermanentError as error:
            log.warning("%s: looking for the event that cannot be stored", error)
        # The neighbours first and whole; then, one by one, what is left of those that were refused.
        counted = Counter[str]()
        for batch in batches:
            try:
                counted += self._patiently(lambda batch=batch: self._write([batch]))
            except PermanentError:
                counted += self._patiently(
                    lambda batch=batch: self._write(
                        [poison.bisect(self.connection(), batch, self._own_phone, self.known)]
                    )
                )
        return counted

    def _apply_carefully(self, entry: Entry) -> Counter[str]:
        log.warning("entry %s was taken by %d workers that died: opening it carefully", entry.id.decode(), entry.deaths)
        try:
            batch = self._patiently(
                lambda: poison.open_carefully(self._redis, self.connection(), entry, self._own_phone, self.known)
            )
        except contract.UnreadableEntryError:
            self.stream.put_aside(entry)
            return Counter()
        counted = self._apply([batch])
        poison.forget(self._redis, entry)
        return counted

    def _write(self, batches: Sequence[Batch]) -> Counter[str]:
        connection = self.connection()
        self._failpoints.reach("worker.before_commit")
        began = time.monotonic()
        with connections.deadline(connection, ANSWER), self._tracing.step("PostgreSQL transaction"):
            counted = apply.apply(connection, batches, own_phone=self._own_phone, known=self.known)
        batch_log.stored(batches, counted, time.monotonic() - began)
        self._metrics.wrote(batches)
        return counted

    def _patiently(self, work: Callable[[], Result]) -> Result:
        return retry.through_bad_weather(
            work, seconds=SLICE, stopping=lambda: self.stopping, before_next=self._metrics.retried
        )

    def _pace(self, entries: Sequence[Entry], events: int) -> None:
        """Take as many entries next time as make a good transaction: they hold one event each, or hundreds."""
        size = sum(len(entry.fields.get(b"bodies", b"")) for entry in entries)
        fit = min(EVENTS * len(entries) // (events + 1), BYTES * len(entries) // (size + 1))
        self._count = max(1, min(EVENTS, fit, self._count * 4))
