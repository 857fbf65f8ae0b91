"""Batches of parsed events, as a worker passes them to the store."""

from dataclasses import dataclass

from store.model.facts import Outcome


@dataclass(frozen=True, slots=True)
class Event:
    """One copy of an event, in a batch."""

    batch_index: int
    """Its index in the batch, from 0."""
    received_at: int
    """The time at which ingest received it, in ms."""
    body: bytes
    digest: bytes
    """The identity of the event: 32 bytes, the same for every copy."""
    outcome: Outcome
    first_order: int = 0
    """Events of earlier batches that may have the receipt of the batch's first event."""
    sender: str | None = None
    """The sender as `kind:name`; None for events at /whatsapp-webhook."""

    @property
    def order(self) -> int:
        """Its place among the events of its writer with the same receipt."""
        return self.first_order + self.batch_index


@dataclass(frozen=True, slots=True)
class Batch:
    """The unit that is written whole or not at all: (writer, number) identifies it."""

    writer: str
    number: int
    cumulative_events: int
    events: tuple[Event, ...]
