"""Finds the event that cannot be stored, or that kills whoever touches it, and parks it; its neighbours are stored."""

from collections.abc import Sequence
from dataclasses import replace

from redis import Redis
from rq.timeouts import JobTimeoutException

from ingest.queue import contract
from store.erasure.suppressions import Forgets
from store.ingestion import apply
from store.model.batches import Batch, Event
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError, TransientError
from worker.drain import decoding
from worker.drain.stream import Entry

REJECTED = "rejected_by_store"
KILLER = "kills_worker"
DEATHS = 3
"""After as many deaths an entry is opened carefully; at as many deaths an event is parked unread."""
_TTL = 24 * 3600


def bisect(connection: Connection, batch: Batch, own_phone: str | None, known: Forgets) -> Batch:
    """The batch with what PostgreSQL refuses parked, found by halving in transactions that are taken back."""
    culprits = {event.index for event in _refused(connection, batch, batch.events, own_phone, known)}
    named = _with_parked(batch, culprits)
    try:
        apply.rehearse(connection, [named], own_phone=own_phone, known=known)
    except PermanentError:
        # What is refused is in the names that are kept beside a parked event: its bytes have them as well.
        return _with_parked(batch, culprits, nameless=True)
    return named


def _with_parked(batch: Batch, culprits: set[int], *, nameless: bool = False) -> Batch:
    def parked(event: Event) -> Event:
        outcome = replace(event.outcome, kind="parked", reason=REJECTED, facts=())
        return replace(event, outcome=replace(outcome, session_id=None, event=None) if nameless else outcome)

    return replace(batch, events=tuple(parked(event) if event.index in culprits else event for event in batch.events))


def _refused(
    connection: Connection, batch: Batch, events: Sequence[Event], own_phone: str | None, known: Forgets
) -> list[Event]:
    try:
        apply.rehearse(connection, [replace(batch, events=tuple(events))], own_phone=own_phone, known=known)
    except PermanentError:
        if len(events) <= 1:
            return list(events)
        half = len(events) // 2
        first = _refused(connection, batch, events[:half], own_phone, known)
        second = _refused(connection, batch, events[half:], own_phone, known)
        # Each half alone may be fine and only both together not: then the smaller part has to go.
        return first + second or list(events[half:])
    return []


def open_carefully(redis: Redis, connection: Connection, entry: Entry, own_phone: str | None, known: Forgets) -> Batch:
    """Read an entry that several workers died of, noting each event before it is touched.

    An event that was touched DEATHS times and never survived is parked unread. Should this process die as well, the
    note is what the next one goes by.
    """
    raw = contract.from_fields(entry.fields)
    notes = _notes(entry)
    events: list[Event] = []
    for index in range(len(raw.bodies)):
        touched = int(redis.hincrby(notes, str(index), 1))
        redis.expire(notes, _TTL)
        if touched > DEATHS:
            events.append(decoding.parked(raw, index, KILLER))
            continue
        event = decoding.event(raw, index)
        single = Batch(raw.writer, raw.number, raw.upto, (event,))
        try:
            apply.rehearse(connection, [single], own_phone=own_phone, known=known)
        except PermanentError:
            event = replace(event, outcome=replace(event.outcome, kind="parked", reason=REJECTED, facts=()))
        except (TransientError, JobTimeoutException):
            redis.hset(notes, str(index), "0")  # PostgreSQL's doing, and nobody died of it
            raise
        redis.hset(notes, str(index), "0")
        events.append(event)
    return Batch(raw.writer, raw.number, raw.upto, tuple(events))


def forget(redis: Redis, entry: Entry) -> None:
    """Drop the notes on an entry that is stored."""
    redis.delete(_notes(entry))


def _notes(entry: Entry) -> str:
    return f"{contract.STREAM}:careful:{entry.id.decode()}"
