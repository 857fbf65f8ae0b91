"""Finds and parks the event that PostgreSQL rejects or that kills workers, so that its neighbours are stored."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from redis import Redis
from rq.timeouts import JobTimeoutException

from ingest.queue import contract
from store.model.batches import Batch, Event
from store.postgres.errors import PermanentError, TransientError
from worker.drain import decoding
from worker.drain.stream import StreamEntry

REJECTED_BY_STORE = "rejected_by_store"
KILLS_WORKER = "kills_worker"
MAX_DEATHS = 3
"""Deaths of workers after which an entry is decoded event by event, and an event is parked unparsed."""
_ATTEMPTS_TTL_SECONDS = 24 * 3600

DryRun: TypeAlias = Callable[[Batch], None]
"""Applies a batch in a transaction that is rolled back; raises what the store raises."""


def bisect(batch: Batch, dry_run: DryRun) -> Batch:
    """The batch with its rejected events parked, found by bisection in transactions that are rolled back."""
    rejected = {event.batch_index for event in _find_rejected(batch, batch.events, dry_run)}
    parked = _park(batch, rejected)
    try:
        dry_run(parked)
    except PermanentError:
        # PostgreSQL rejects the session id or event name stored beside a parked event; its body has both.
        return _park(batch, rejected, without_names=True)
    return parked


def _park(batch: Batch, indexes: set[int], *, without_names: bool = False) -> Batch:
    def parked(event: Event) -> Event:
        outcome = replace(event.outcome, kind="parked", reason=REJECTED_BY_STORE, facts=())
        return replace(event, outcome=replace(outcome, session_id=None, event_type=None) if without_names else outcome)

    events = tuple(parked(event) if event.batch_index in indexes else event for event in batch.events)
    return replace(batch, events=events)


def _find_rejected(batch: Batch, events: Sequence[Event], dry_run: DryRun) -> list[Event]:
    try:
        dry_run(replace(batch, events=tuple(events)))
    except PermanentError:
        if len(events) <= 1:
            return list(events)
        half = len(events) // 2
        first = _find_rejected(batch, events[:half], dry_run)
        second = _find_rejected(batch, events[half:], dry_run)
        # Both halves may be accepted alone and rejected together: then the second half is parked.
        return first + second or list(events[half:])
    return []


def decode_suspect(redis: Redis, entry: StreamEntry, dry_run: DryRun) -> Batch:
    """Decode an entry that killed several workers, counting each event's attempts before it is parsed.

    An event with MAX_DEATHS failed attempts is parked unparsed. The counts outlive this process in Redis.
    """
    raw = contract.from_fields(entry.fields)
    attempts_key = _attempts_key(entry)
    events: list[Event] = []
    for index in range(len(raw.bodies)):
        attempts = int(redis.hincrby(attempts_key, str(index), 1))
        redis.expire(attempts_key, _ATTEMPTS_TTL_SECONDS)
        if attempts > MAX_DEATHS:
            events.append(decoding.parked_event(raw, index, KILLS_WORKER))
            continue
        event = decoding.event(raw, index)
        try:
            dry_run(Batch(raw.writer, raw.number, raw.acknowledged_events, (event,)))
        except PermanentError:
            event = replace(event, outcome=replace(event.outcome, kind="parked", reason=REJECTED_BY_STORE, facts=()))
        except (TransientError, JobTimeoutException):
            redis.hset(attempts_key, str(index), "0")  # PostgreSQL failed, and no worker died
            raise
        redis.hset(attempts_key, str(index), "0")
        events.append(event)
    return Batch(raw.writer, raw.number, raw.acknowledged_events, tuple(events))


def clear_attempts(redis: Redis, entry: StreamEntry) -> None:
    """Delete the counts of an entry that is stored."""
    redis.delete(_attempts_key(entry))


def _attempts_key(entry: StreamEntry) -> str:
    return f"{contract.STREAM}:attempts:{entry.id.decode()}"
