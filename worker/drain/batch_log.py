"""Logs a transaction: its batches, the outcomes of their events, and each parked event."""

import itertools
import logging
from collections import Counter, defaultdict
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
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    for batch in batches:
        numbers[batch.writer].add(batch.number)
    return [
        f"{writer}:{first}" if first == last else f"{writer}:{first}-{last}"
        for writer, of_writer in numbers.items()
        for first, last in _runs(sorted(of_writer))
    ]


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last number of each run of consecutive numbers."""
    gaps = [(before, after) for before, after in itertools.pairwise(numbers) if after != before + 1]
    firsts = [numbers[0], *(after for _, after in gaps)]
    return list(zip(firsts, [*(before for before, _ in gaps), numbers[-1]], strict=True))
