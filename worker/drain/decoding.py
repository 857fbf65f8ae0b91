"""From stream entries to what the store takes."""

from ingest.queue import contract
from store.model.batches import Batch, Event
from store.model.facts import Outcome
from worker.sak import identity, parser


def batch(fields: dict[bytes, bytes]) -> Batch:
    """Read every event of an entry; raises ingest.queue.contract.UnreadableEntryError where it is no batch of ours."""
    raw = contract.from_fields(fields)
    return Batch(
        raw.writer, raw.number, raw.acknowledged_events, tuple([event(raw, index) for index in range(len(raw.bodies))])
    )


def event(raw: contract.RawBatch, index: int) -> Event:
    """Read one event of a batch."""
    body = raw.bodies[index]
    read = parser.parse(body)
    digest = identity.digest(
        body, writer=raw.writer, number=raw.number, index=index, is_self_identifying=read.is_self_identifying
    )
    return Event(index, raw.received_at[index], body, digest, read.outcome)


def parked_event(raw: contract.RawBatch, index: int, reason: str) -> Event:
    """An event that is kept without being read; its identity is its place."""
    body = raw.bodies[index]
    digest = identity.digest(body, writer=raw.writer, number=raw.number, index=index, is_self_identifying=False)
    return Event(index, raw.received_at[index], body, digest, Outcome("parked", reason, None, None, None))
