"""Stores entries in PostgreSQL in one transaction or, if an event is rejected, in parts without the rejected events."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from ingest.queue import contract
from ingest.queue.failpoints import Failpoints
from store.erasure.suppressions import SuppressionCache
from store.ingestion import apply
from store.model.batches import Batch
from store.postgres import connections
from store.postgres.errors import PermanentError
from worker.drain import batch_log, decoding, poison, retry
from worker.drain.poison import HasTime
from worker.drain.stream import StreamConsumer, StreamEntry
from worker.drain.tracing import DrainTracing
from worker.drain.verdicts import EventVerdicts
from worker.drain.verified_database import VerifiedDatabase
from worker.metrics.worker import WorkerMetrics

log = logging.getLogger("worker.drain")

RETRY_SECONDS = 5.0
"""The time in seconds for which a transaction is retried after transient errors."""
SEARCH_SECONDS = 5.0
"""The time in seconds of one search for rejected events. Other entries are stored before it continues."""
TRANSACTION_DEADLINE_SECONDS = 20.0
"""The time in seconds until the connection of a transaction is closed. It is above PostgreSQL's statement timeout and
below RQ's job timeout.
"""
T = TypeVar("T")
DecodedEntry: TypeAlias = tuple[StreamEntry, Batch]


@dataclass(slots=True)
class StoredEntries:
    """The entries of one read that are stored or set aside, and that may be acknowledged."""

    ids: list[bytes] = field(default_factory=list[bytes])
    events: int = 0
    outcome_counts: Counter[str] = field(default_factory=Counter[str])
    has_untried: bool = False
    """True if there was no time to try every entry."""


class EntryStore:
    """The storage of one worker's entries, and the entries in which it is searching for a rejected event."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        stream: StreamConsumer,
        database: VerifiedDatabase,
        *,
        own_phone: str | None,
        suppressions: SuppressionCache,
        metrics: WorkerMetrics,
        failpoints: Failpoints,
        tracing: DrainTracing,
        should_stop: Callable[[], bool],
    ) -> None:
        self._stream = stream
        self._database = database
        self._own_phone = own_phone
        self._suppressions = suppressions
        self._metrics = metrics
        self._failpoints = failpoints
        self._tracing = tracing
        self._should_stop = should_stop
        self._rejected_ids: set[bytes] = set()
        """Entries in which a rejected event is being searched."""

    def store(self, entries: Sequence[StreamEntry], stored: StoredEntries) -> None:
        """Store the entries, or as many as there is time for, and add each to `stored` once it is stored.

        Raises TransientError.
        """
        until = time.monotonic() + SEARCH_SECONDS

        def has_time() -> bool:
            return time.monotonic() < until and not self._should_stop()

        decoded = self._decode([entry for entry in entries if entry.deaths < poison.MAX_DEATHS], stored)
        rejected = [one for one in decoded if one[0].id in self._rejected_ids]
        untried = [one for one in decoded if one[0].id not in self._rejected_ids]
        if untried:
            try:
                self._commit(untried, stored)
            except PermanentError as error:
                log.warning("%s: searching for the rejected event", error)
                rejected += self._store_parts(untried, stored, has_time)
        # Searches come last, so that none delays entries that PostgreSQL accepts.
        for entry, batch in rejected:
            if has_time():
                self._park_rejected(entry, batch, stored, has_time)
        for entry in entries:
            if entry.deaths >= poison.MAX_DEATHS and has_time():
                self._store_suspect(entry, stored, has_time)

    def _decode(self, entries: Sequence[StreamEntry], stored: StoredEntries) -> list[DecodedEntry]:
        decoded: list[DecodedEntry] = []
        for entry in entries:
            try:
                decoded.append((entry, decoding.batch(entry.fields, entry.appended_at)))
            except contract.UnreadableEntryError as error:
                self._set_aside(entry, error, stored)
        return decoded

    def _set_aside(self, entry: StreamEntry, error: contract.UnreadableEntryError, stored: StoredEntries) -> None:
        log.error("entry %s set aside as unreadable: %s", entry.id.decode(), error)
        self._stream.set_aside_unreadable(entry)
        stored.ids.append(entry.id)

    def _store_parts(
        self, untried: Sequence[DecodedEntry], stored: StoredEntries, has_time: HasTime
    ) -> Sequence[DecodedEntry]:
        """Commit the parts that PostgreSQL accepts. Return the entries that it rejects individually."""
        rejected: list[DecodedEntry] = []
        size = max(1, len(untried) // 2)
        while untried and has_time():
            part = untried[:size]
            try:
                self._commit(part, stored)
            except PermanentError:
                size = max(1, len(part) // 2)
                if len(part) > 1:
                    continue
                rejected += part
                self._rejected_ids.add(part[0][0].id)
            else:
                size = 2 * len(part)
            untried = untried[len(part) :]
        stored.has_untried = bool(untried)
        return rejected

    def _park_rejected(self, entry: StreamEntry, batch: Batch, stored: StoredEntries, has_time: HasTime) -> None:
        verdicts = EventVerdicts(self._stream.redis, entry)
        parked = self._with_retries(lambda: poison.park_rejected(batch, verdicts, self._dry_run, has_time))
        if parked is not None:
            self._commit([(entry, parked)], stored)
            verdicts.clear()
            self._rejected_ids.discard(entry.id)

    def _store_suspect(self, entry: StreamEntry, stored: StoredEntries, has_time: HasTime) -> None:
        log.warning(
            "entry %s was delivered to %d workers that died; decoding event by event", entry.id.decode(), entry.deaths
        )
        verdicts = EventVerdicts(self._stream.redis, entry)
        try:
            batch = self._with_retries(lambda: poison.decode_suspect(entry, verdicts, self._dry_run, has_time))
        except contract.UnreadableEntryError as error:
            self._set_aside(entry, error, stored)
            return
        if batch is not None:
            self._commit([(entry, batch)], stored)
            verdicts.clear()

    def _commit(self, decoded: Sequence[DecodedEntry], stored: StoredEntries) -> None:
        """Store the batches of the entries in one transaction. Raises PermanentError if PostgreSQL rejects them."""
        batches = [batch for _, batch in decoded]
        stored.outcome_counts += self._with_retries(lambda: self._apply(batches))
        stored.ids += [entry.id for entry, _ in decoded]
        stored.events += sum(len(batch.events) for batch in batches)

    def _apply(self, batches: Sequence[Batch]) -> Counter[str]:
        connection = self._database.connection()
        self._failpoints.reach("worker.before_commit")
        began = time.monotonic()
        deadline = connections.deadline(connection, TRANSACTION_DEADLINE_SECONDS)
        with deadline, self._tracing.step("PostgreSQL transaction"):
            counted = apply.batches(
                connection,
                batches,
                own_phone=self._own_phone,
                suppressions=self._suppressions,
                generation=self._database.generation,
            )
        batch_log.log_stored(batches, counted, time.monotonic() - began)
        self._metrics.record_transaction(batches)
        return counted

    def _dry_run(self, batch: Batch) -> None:
        connection = self._database.connection()
        with connections.deadline(connection, TRANSACTION_DEADLINE_SECONDS):
            apply.dry_run(connection, [batch], own_phone=self._own_phone, suppressions=self._suppressions)

    def _with_retries(self, work: Callable[[], T]) -> T:
        return retry.retry_transient(
            work, seconds=RETRY_SECONDS, should_stop=self._should_stop, on_retry=self._prepare_retry
        )

    def _prepare_retry(self) -> None:
        self._metrics.retries.inc()
        self._database.require_verification()
