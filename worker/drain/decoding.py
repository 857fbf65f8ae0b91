"""From stream entries to what the store takes."""

from ingest.queue import contract
from store.model.batches import Batch, Event
from store.model.facts import Outcome
from worker.sak import identity, parser


def batch(fields: dict[bytes, bytes]) -> Batch:
    """Read every event of an entry; raises ingest.queue.contract.UnreadableEntryError where it is no batch of ours."""
    raw = contract.from_fields(fields)
    return Batch(raw.writer, raw.number, raw.upto, tuple([event(raw, index) for index in range(len(raw.bodies))]))


def event(raw: contract.Batch, index: int) -> Event:
    """Read one event of a batch."""
    body = raw.bodies[index]
    read = parser.read(body)
    digest = identity.digest(
        body, writer=raw.writer, number=raw.number, index=index, identifies_itself=read.identifies_itself
    )
    return Event(index, raw.receipts[index], body, digest, read.outcome)


def parked(raw: contract.Batch, index: int, reason: str) -> Event:
    """An event that is kept without being read; its identity is its place."""
    body = raw.bodies[index]
    digest = identity.digest(body, writer=raw.writer, number=raw.number, index=index, identifies_itself=False)
    return Event(index, raw.receipts[index], body, digest, Outcome("parked", reason, None, None, None))
