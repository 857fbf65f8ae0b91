"""Decodes stream entries into batches of parsed events for the store.

Times of receipt are measured by ingest's clock. If it is far off, they are corrected by Redis' clock, which is in the
entry's id. The result depends only on the entry, so it is the same whenever the entry is applied.
"""

from ingest.queue import contract
from ingest.queue.contract import EntryFields, RawBatch
from store.model import timestamps
from store.model.batches import Batch, Event
from store.model.facts import Outcome
from worker.senders import dispatch, event_digest

MAX_RECEIPT_AHEAD = 5 * 60_000
"""The time in ms by which the receipt of an event may be later than the append of its entry. A later one is corrected.
"""


def batch(fields: EntryFields, appended_at: int | None = None) -> Batch:
    """Return the entry's batch with every event parsed. Raises UnreadableEntryError.

    `appended_at` is the time in ms when the entry was appended, by Redis' clock, or None for a batch outside a stream.
    """
    raw = raw_batch(fields, appended_at)
    events = [event(raw, index, appended_at) for index in range(len(raw.bodies))]
    return Batch(raw.writer, raw.number, raw.acknowledged_events, tuple(events))


def raw_batch(fields: EntryFields, appended_at: int | None) -> RawBatch:
    """Return the entry's batch without parsing it. Raises UnreadableEntryError.

    If ingest's clock was fast, the last receipt becomes the time of the append, and the distances between receipts are
    kept.
    """
    raw = contract.from_fields(fields)
    ahead = 0 if appended_at is None else max(raw.received_at, default=0) - appended_at
    if ahead <= MAX_RECEIPT_AHEAD:
        return raw
    return raw._replace(received_at=tuple(max(0, received_at - ahead) for received_at in raw.received_at))


def event(raw: RawBatch, index: int, appended_at: int | None) -> Event:
    """Parse one event of a batch. Its body is stored without the sender's secrets."""
    sender, body = _sender_and_body(raw, index)
    result = dispatch.parse(sender, body)
    digest = _digest(raw, index, sender, body, is_self_identifying=result.is_self_identifying)
    received_at = raw.received_at[index]
    if appended_at is not None and _proves_slow_clock(result.outcome, received_at, appended_at):
        received_at = appended_at
    return Event(index, received_at, body, digest, result.outcome, raw.first_order, sender or None)


def _sender_and_body(raw: RawBatch, index: int) -> tuple[str, bytes]:
    sender = raw.senders[index] if raw.senders else contract.DEFAULT_SENDER
    return sender, dispatch.redact(sender, raw.bodies[index])


def _digest(raw: RawBatch, index: int, sender: str, body: bytes, *, is_self_identifying: bool) -> bytes:
    # Equal bytes from two senders are two events, because each is about its own session.
    identity = body if dispatch.shares_digests(sender) else event_digest.of_sender(sender, body)
    return event_digest.digest(
        identity, writer=raw.writer, number=raw.number, index=index, is_self_identifying=is_self_identifying
    )


def _proves_slow_clock(outcome: Outcome, received_at: int, appended_at: int) -> bool:
    """Return whether the event claims a time that is too late for its receipt but not for the append of its entry."""
    earliest, latest = received_at + timestamps.MAX_CLOCK_SKEW, appended_at + timestamps.MAX_CLOCK_SKEW
    for fact in outcome.all_facts:  # noqa: SIM110 - a generator is slower
        if fact.time is not None and earliest < fact.time <= latest:
            return True
    return False


def parked_event(raw: RawBatch, index: int, reason: str) -> Event:
    """Return an event of a batch, parked without being parsed. Its identity is its position."""
    sender, body = _sender_and_body(raw, index)
    digest = _digest(raw, index, sender, body, is_self_identifying=False)
    outcome = Outcome("parked", reason, None, None, None)
    return Event(index, raw.received_at[index], body, digest, outcome, raw.first_order, sender or None)
