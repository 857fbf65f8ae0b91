"""Defines batches of parsed events, which a worker passes to the store."""

from store.model.facts import Outcome
from store.model.records import record


@record
class Event:
    """One copy of an event in a batch."""

    batch_index: int
    """The index in the batch, starting at 0."""
    received_at: int
    """The time of receipt by ingest in ms."""
    body: bytes
    digest: bytes
    """The identity of the event: 32 bytes that are the same for every copy."""
    outcome: Outcome
    first_order: int = 0
    """The number of events in earlier batches that may have the same time of receipt as the first event of this batch.
    """
    sender: str | None = None
    """The sender as `kind:name`; None for events at /whatsapp-webhook."""

    @property
    def order(self) -> int:
        """The position among the writer's events with the same time of receipt."""
        return self.first_order + self.batch_index


@record
class Batch:
    """A batch of events, which is written completely or not at all. (writer, number) identifies it."""

    writer: str
    number: int
    acknowledged_events: int
    """The number of events that the writer has acknowledged up to and including this batch."""
    events: tuple[Event, ...]
