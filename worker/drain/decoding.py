"""Decodes stream entries into batches of parsed events for the store."""

from ingest.queue import contract
from store.model.batches import Batch, Event
from store.model.facts import Outcome
from worker.sak import identity, parser


def batch(fields: dict[bytes, bytes]) -> Batch:
    """The entry's batch with every event parsed; raises UnreadableEntryError."""
    raw = contract.from_fields(fields)
    events = [event(raw, index) for index in range(len(raw.bodies))]
    return Batch(raw.writer, raw.number, raw.acknowledged_events, tuple(events))


def event(raw: contract.RawBatch, index: int) -> Event:
    """One event of a batch, parsed."""
    body = raw.bodies[index]
    read = parser.parse(body)
    digest = identity.digest(
        body, writer=raw.writer, number=raw.number, index=index, is_self_identifying=read.is_self_identifying
    )
    return Event(index, raw.received_at[index], body, digest, read.outcome)


def parked_event(raw: contract.RawBatch, index: int, reason: str) -> Event:
    """One event of a batch, parked without being parsed; its identity is its position."""
    body = raw.bodies[index]
    digest = identity.digest(body, writer=raw.writer, number=raw.number, index=index, is_self_identifying=False)
    return Event(index, raw.received_at[index], body, digest, Outcome("parked", reason, None, None, None))
