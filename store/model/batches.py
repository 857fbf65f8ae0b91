"""What a worker hands to the store: batches as they came through the queue, and what became of each event."""

from dataclasses import dataclass

from store.model.facts import Outcome


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a batch."""

    batch_index: int
    """Its place in the batch, from 0."""
    received_at: int
    """When ingest received it, in ms."""
    body: bytes
    digest: bytes
    """Its identity: 32 bytes, the same for every copy of one event."""
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Batch:
    """The unit that is kept whole or not at all."""

    writer: str
    number: int
    cumulative_events: int
    events: tuple[Event, ...]
