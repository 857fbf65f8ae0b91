"""What the log says of a transaction: which batches it kept, what became of their events, and which were parked."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from store.model.batches import Batch

log = logging.getLogger("worker.drain")

MAX_PARKED_LOGGED = 20
"""How many parked events of one transaction are named one by one."""


def log_stored(batches: Sequence[Batch], outcome_counts: Counter[str], seconds: float) -> None:
    """Say that the batches are in PostgreSQL."""
    if not any(batch.events for batch in batches):
        return  # a writer that only told how far it is
    told = {"outcomes": dict(outcome_counts), "seconds": round(seconds, 4), "events": outcome_counts.total()}
    log.info("stored", extra={"batches": ranges(batches), **told})
    parked = [(batch, event) for batch in batches for event in batch.events if event.outcome.kind == "parked"]
    for batch, event in parked[:MAX_PARKED_LOGGED]:
        name = f"{batch.writer}:{batch.number}:{event.batch_index}"
        told = {"event": name, "digest": event.digest.hex(), "reason": event.outcome.reason}
        log.warning("an event is parked", extra=told)
    if len(parked) > MAX_PARKED_LOGGED:
        log.warning("%d more events are parked", len(parked) - MAX_PARKED_LOGGED)


def ranges(batches: Iterable[Batch]) -> list[str]:
    """`writer:number` for one batch, `writer:first-last` for those that follow each other."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for batch in batches:
        numbers[batch.writer].append(batch.number)
    found: list[str] = []
    for writer, its in sorted(numbers.items()):
        first = last = None
        for number in [*sorted(set(its)), None]:
            if first is None or last is None:
                first = last = number
            elif number == last + 1:
                last = number
            else:
                found.append(f"{writer}:{first}" if first == last else f"{writer}:{first}-{last}")
                first = last = number
    return found
