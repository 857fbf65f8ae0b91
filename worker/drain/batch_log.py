"""Logs a transaction: its batches, the outcomes of their events, and each parked event."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence

from store.model.batches import Batch

log = logging.getLogger("worker.drain")

MAX_PARKED_LOGGED = 20
"""The number of parked events of one transaction that are logged individually."""


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
    """Return `writer:number` for a batch, and `writer:first-last` for consecutive batches."""
    spans: list[tuple[str, int, int]] = []
    for writer, number in sorted({(batch.writer, batch.number) for batch in batches}):
        first = number
        if spans and (spans[-1][0], spans[-1][2]) == (writer, number - 1):
            first = spans.pop()[1]
        spans.append((writer, first, number))
    return [f"{writer}:{first}" if first == last else f"{writer}:{first}-{last}" for writer, first, last in spans]
