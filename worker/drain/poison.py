"""Finds and parks events that PostgreSQL rejects or that kill workers, so that the other events are stored."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeAlias

from rq.timeouts import JobTimeoutException

from store.model.batches import Batch, Event
from store.postgres.errors import PermanentError, TransientError
from worker.drain import decoding
from worker.drain.stream import StreamEntry
from worker.drain.verdicts import EventVerdicts

REJECTED_BY_STORE = "rejected_by_store"
KILLS_WORKER = "kills_worker"
MAX_DEATHS = 3
"""The number of dead workers after which an entry is decoded event by event, and after which an event is parked
unparsed.
"""

DryRun: TypeAlias = Callable[[Batch], None]
"""Applies a batch in a transaction that is rolled back. Raises the errors of the store."""
HasTime: TypeAlias = Callable[[], bool]


def park_rejected(batch: Batch, verdicts: EventVerdicts, dry_run: DryRun, has_time: HasTime) -> Batch | None:
    """Return the batch with the events parked that PostgreSQL rejects, or None if there was not enough time.

    Tries parts of the batch in transactions that are rolled back: first half of the batch, then half of a part that was
    rejected, or twice as many events after a part that was accepted. Each result is stored, so that the next call
    continues.
    """
    judged = verdicts.read()
    unjudged = [event for event in batch.events if event.batch_index not in judged]
    size = verdicts.read_part_size() or max(1, len(unjudged) // 2)
    while unjudged:
        if not has_time():
            return None
        part = unjudged[:size]
        try:
            dry_run(replace(batch, events=tuple(part)))
        except PermanentError:
            size = max(1, len(part) // 2)
            if len(part) > 1:
                verdicts.save_part_size(size)
                continue
            verdicts.save([part[0].batch_index], "rejected")
        else:
            verdicts.save([event.batch_index for event in part], "accepted")
            size = 2 * len(part)
        unjudged = unjudged[len(part) :]
        verdicts.save_part_size(size)
    return _park_judged(batch, verdicts, dry_run)


def _park_judged(batch: Batch, verdicts: EventVerdicts, dry_run: DryRun) -> Batch:
    rejected = {index for index, verdict in verdicts.read().items() if verdict == "rejected"}
    # PostgreSQL may reject the session id or event name stored beside a parked event; its body contains both. It may
    # also reject events together that it accepts individually.
    attempts = (_park(batch, rejected), _park(batch, rejected, without_names=True))
    for parked in attempts:
        try:
            dry_run(parked)
        except PermanentError:
            continue
        return parked
    return _park(batch, range(len(batch.events)), without_names=True)


def _park(batch: Batch, indexes: Collection[int], *, without_names: bool = False) -> Batch:
    def parked(event: Event) -> Event:
        outcome = replace(event.outcome, kind="parked", reason=REJECTED_BY_STORE, facts=(), others=())
        return replace(event, outcome=replace(outcome, session_id=None, event_type=None) if without_names else outcome)

    events = tuple(parked(event) if event.batch_index in indexes else event for event in batch.events)
    return replace(batch, events=events)


def decode_suspect(entry: StreamEntry, verdicts: EventVerdicts, dry_run: DryRun, has_time: HasTime) -> Batch | None:
    """Decode an entry that killed several workers event by event. Return None if there was not enough time.

    An attempt is counted before it starts. An event with MAX_DEATHS failed attempts is parked unparsed. The next call
    tries only events without a verdict. Raises UnreadableEntryError.
    """
    raw = decoding.raw_batch(entry.fields, entry.appended_at)
    judged = verdicts.read()
    events: list[Event] = []
    for index in range(len(raw.bodies)):
        if index in judged:
            events.append(decoding.event(raw, index, entry.appended_at))
            continue
        if not has_time():
            return None
        if verdicts.begin_attempt(index) > MAX_DEATHS:
            events.append(decoding.parked_event(raw, index, KILLS_WORKER))
            continue
        event = decoding.event(raw, index, entry.appended_at)
        try:
            dry_run(Batch(raw.writer, raw.number, raw.acknowledged_events, (event,)))
        except PermanentError:
            verdicts.save([index], "rejected")
        except (TransientError, JobTimeoutException):
            verdicts.reset_attempts(index)  # PostgreSQL failed, but no worker died
            raise
        else:
            verdicts.save([index], "accepted")
        verdicts.reset_attempts(index)
        events.append(event)
    return _park_judged(Batch(raw.writer, raw.number, raw.acknowledged_events, tuple(events)), verdicts, dry_run)
