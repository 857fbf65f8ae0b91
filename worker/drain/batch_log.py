"""Logs a transaction: its batches, the outcomes of their events, and each parked event."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from store.model.batches import Batch

log = logging.getLogger("worker.drain")

MAX_PARKED_LOGGED = 20
"""Parked events of one transaction that are logged one by one."""


def log_stored(batches: Sequence[Batch], outcome_counts: Counter[str], seconds: float) -> None:
    """Log that the batches are in PostgreSQL."""
    if not any(batch.events for batch in batches):
        return  # only progress batches
    fields = {"outcomes": dict(outcome_counts), "seconds": round(seconds, 4), "events": outcome_counts.total()}
    log.info("stored", extra={"batches": ranges(batches), **fields})
    parked = [(batch, event) for batch in batches for event in batch.events if event.outcome.kind == "parked"]
    for batch, event in parked[:MAX_PARKED_LOGGED]:
        name = f"{batch.writer}:{batch.number}:{event.batch_index}"
        fields = {"event": name, "digest": event.digest.hex(), "reason": event.outcome.reason}
        log.warning("event parked", extra=fields)
    if len(parked) > MAX_PARKED_LOGGED:
        log.warning("%d more events parked", len(parked) - MAX_PARKED_LOGGED)


def ranges(batches: Iterable[Batch]) -> list[str]:
    """`writer:number` for one batch, `writer:first-last` for consecutive ones."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for batch in batches:
        numbers[batch.writer].append(batch.number)
    names: list[str] = []
    for writer, batch_numbers in sorted(numbers.items()):
        first = last = None
        for number in [*sorted(set(batch_numbers)), None]:
            if first is None or last is None:
                first = last = number
            elif number == last + 1:
                last = number
            else:
                names.append(f"{writer}:{first}" if first == last else f"{writer}:{first}-{last}")
                first = last = number
    return names
