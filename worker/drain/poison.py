"""Finds the event that cannot be stored, or that kills whoever touches it, and parks it; its neighbours are stored."""

from collections.abc import Sequence
from dataclasses import replace

from redis import Redis
from rq.timeouts import JobTimeoutException

from ingest.queue import contract
from store.erasure.suppressions import SuppressionCache
from store.ingestion import apply
from store.model.batches import Batch, Event
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError, TransientError
from worker.drain import decoding
from worker.drain.stream import StreamEntry

REJECTED_BY_STORE = "rejected_by_store"
KILLS_WORKER = "kills_worker"
MAX_DEATHS = 3
"""After as many deaths an entry is opened carefully; at as many deaths an event is parked unread."""
_ATTEMPTS_TTL_SECONDS = 24 * 3600


def bisect(connection: Connection, batch: Batch, own_phone: str | None, suppressions: SuppressionCache) -> Batch:
    """The batch with what PostgreSQL refuses parked, found by halving in transactions that are taken back."""
    culprits = {event.batch_index for event in _find_rejected(connection, batch, batch.events, own_phone, suppressions)}
    named = _park(batch, culprits)
    try:
        apply.dry_run(connection, [named], own_phone=own_phone, suppressions=suppressions)
    except PermanentError:
        # What is refused is in the names that are kept beside a parked event: its bytes have them as well.
        return _park(batch, culprits, without_names=True)
    return named


def _park(batch: Batch, indexes: set[int], *, without_names: bool = False) -> Batch:
    def parked(event: Event) -> Event:
        outcome = replace(event.outcome, kind="parked", reason=REJECTED_BY_STORE, facts=())
        return replace(event, outcome=replace(outcome, session_id=None, event=None) if without_names else outcome)

    return replace(
        batch, events=tuple(parked(event) if event.batch_index in indexes else event for event in batch.events)
    )


def _find_rejected(
    connection: Connection, batch: Batch, events: Sequence[Event], own_phone: str | None, suppressions: SuppressionCache
) -> list[Event]:
    try:
        apply.dry_run(
            connection, [replace(batch, events=tuple(events))], own_phone=own_phone, suppressions=suppressions
        )
    except PermanentError:
        if len(events) <= 1:
            return list(events)
        half = len(events) // 2
        first = _find_rejected(connection, batch, events[:half], own_phone, suppressions)
        second = _find_rejected(connection, batch, events[half:], own_phone, suppressions)
        # Each half alone may be fine and only both together not: then the smaller part has to go.
        return first + second or list(events[half:])
    return []


def decode_suspect(
    redis: Redis, connection: Connection, entry: StreamEntry, own_phone: str | None, suppressions: SuppressionCache
) -> Batch:
    """Read an entry that several workers died of, noting each event before it is touched.

    An event that was touched DEATHS times and never survived is parked unread. Should this process die as well, the
    note is what the next one goes by.
    """
    raw = contract.from_fields(entry.fields)
    notes = _attempts_key(entry)
    events: list[Event] = []
    for index in range(len(raw.bodies)):
        touched = int(redis.hincrby(notes, str(index), 1))
        redis.expire(notes, _ATTEMPTS_TTL_SECONDS)
        if touched > MAX_DEATHS:
            events.append(decoding.parked_event(raw, index, KILLS_WORKER))
            continue
        event = decoding.event(raw, index)
        single = Batch(raw.writer, raw.number, raw.acknowledged_events, (event,))
        try:
            apply.dry_run(connection, [single], own_phone=own_phone, suppressions=suppressions)
        except PermanentError:
            event = replace(event, outcome=replace(event.outcome, kind="parked", reason=REJECTED_BY_STORE, facts=()))
        except (TransientError, JobTimeoutException):
            redis.hset(notes, str(index), "0")  # PostgreSQL's doing, and nobody died of it
            raise
        redis.hset(notes, str(index), "0")
        events.append(event)
    return Batch(raw.writer, raw.number, raw.acknowledged_events, tuple(events))


def clear_attempts(redis: Redis, entry: StreamEntry) -> None:
    """Drop the notes on an entry that is stored."""
    redis.delete(_attempts_key(entry))


def _attempts_key(entry: StreamEntry) -> str:
    return f"{contract.STREAM}:attempts:{entry.id.decode()}"
