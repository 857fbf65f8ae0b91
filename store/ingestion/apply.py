"""The one way into the history: batches from the queue, in one transaction, in any order, any number of times."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from store.erasure import batch_filter, linked_events, suppressions
from store.erasure.batch_filter import FilteredBatches
from store.erasure.suppressions import SuppressionCache
from store.feed import changes
from store.history import event_digests, fold, raw_events, sessions
from store.history.fold import FoldResult
from store.history.parsed_events import ParsedEvent
from store.ledger import batch_counts as ledger_rows
from store.model import timestamps
from store.model.batches import Batch, Event
from store.postgres import errors
from store.postgres.connections import Connection


def apply(
    connection: Connection,
    batches: Sequence[Batch],
    *,
    own_phone: str | None = None,
    suppressions: SuppressionCache | None = None,
) -> Counter[str]:
    """Keep the batches that are not kept yet, in one transaction; returns how their events were counted.

    `known` is who is forgotten; where anybody is and it cannot tell who, raises MissingKeyError.
    Raises TransientError, after which the same call may succeed, or PermanentError, after which it will
    not: then some event holds what PostgreSQL cannot, and `rehearse` tells which.
    """
    with errors.translated(), connection.transaction():
        return _apply_in_transaction(connection, batches, own_phone, suppressions or SuppressionCache())


def dry_run(
    connection: Connection,
    batches: Sequence[Batch],
    *,
    own_phone: str | None = None,
    suppressions: SuppressionCache | None = None,
) -> None:
    """Do what `apply` does and take it back; raises what it would raise."""
    with errors.translated(), connection.transaction(force_rollback=True):
        _apply_in_transaction(connection, batches, own_phone, suppressions or SuppressionCache())


def _apply_in_transaction(
    connection: Connection, batches: Sequence[Batch], own_phone: str | None, known: SuppressionCache
) -> Counter[str]:
    forgotten = known.current(connection)
    # A batch whose confirmation was lost is in the stream twice, and both copies may have come in one hand.
    different = {(batch.writer, batch.number): batch for batch in batches}
    claimed = ledger_rows.claim(connection, different.values())
    new: Sequence[Batch] = [batch for identity, batch in different.items() if identity in claimed]
    sifted = None if forgotten is None else batch_filter.filter_batches(connection, forgotten, new)
    if sifted is not None:
        new = sifted.batches
    copies = [event for batch in new for event in batch.events]
    if not copies:
        return Counter()
    least: dict[bytes, Event] = {}
    for event in copies:
        if event.digest not in least or event.received_at < least[event.digest].received_at:
            least[event.digest] = event
    noted = event_digests.record(connection, (_event_copy(event) for event in least.values()))
    later = _redating_copies(connection, copies, least)
    news = [event for digest, event in least.items() if digest in noted] + later
    folded = fold.apply(
        connection, [_parsed_event(event) for event in news if event.outcome.facts], own_phone=own_phone
    )
    fresh = {digest for digest, is_fresh in noted.items() if is_fresh}
    with_body = fresh - _digests_without_body(connection, sifted, folded)
    kept = (event for digest, event in least.items() if digest in with_body and event.outcome.kind != "forgotten")
    raw_events.insert(connection, kept, folded.key_ids_by_digest)
    changes.publish(connection, folded.changes)
    _record_last_seen(connection, copies)
    counted = _record_counts(connection, new, fresh)
    if forgotten is not None and sifted is not None:
        suppressions.add_aliases(connection, forgotten, sifted.aliases)
    return counted


def _digests_without_body(
    connection: Connection, sifted: FilteredBatches | None, folded: FoldResult
) -> frozenset[bytes]:
    """The events whose bodies are not kept; a replay must not take for nothing what they told."""
    if sifted is None or not sifted.digests_without_body:
        return frozenset()
    linked_events.mark_source_pruned(
        connection,
        [key_id for digest in sifted.digests_without_body for key_id in folded.key_ids_by_digest.get(digest, ())],
    )
    return sifted.digests_without_body


def _redating_copies(connection: Connection, copies: Iterable[Event], earliest: dict[bytes, Event]) -> list[Event]:
    """Further copies of an event within these batches whose receipt dates something, as its own times do not."""
    latest: dict[bytes, Event] = {}
    for event in copies:
        if event.received_at > latest.get(event.digest, earliest[event.digest]).received_at:
            latest[event.digest] = event
    if not latest:
        return []
    noted = event_digests.record(connection, (_event_copy(event) for event in latest.values()))
    return [event for digest, event in latest.items() if digest in noted]


def _event_copy(event: Event) -> event_digests.EventCopy:
    return event_digests.EventCopy(event.digest, event.received_at, event.outcome.kind, _latest_claimed_at(event))


def _latest_claimed_at(event: Event) -> int | None:
    """The latest time that the event's facts claim; None if the receipt dates any of them whatever it is.

    None also where there are no facts: what a later parser finds in the event may want every receipt.
    """
    if not event.outcome.facts:
        return None
    times = [fact.time for fact in event.outcome.facts]
    known = [time for time in times if time is not None and time >= timestamps.EARLIEST_PLAUSIBLE]
    if len(known) < len(times):
        return None
    return max(known)


def _parsed_event(event: Event) -> ParsedEvent:
    session_id = event.outcome.session_id
    assert session_id is not None, "what has facts has a session"
    return ParsedEvent(event.digest, event.received_at, event.batch_index, session_id, event.outcome.facts)


def _record_last_seen(connection: Connection, copies: Iterable[Event]) -> None:
    last: defaultdict[tuple[str, str], int] = defaultdict(int)
    for event in copies:
        outcome = event.outcome
        if outcome.session_id is not None:
            name = sessions.PING_EVENT if outcome.kind == "ping" else (outcome.event_type or "unnamed")
            last[outcome.session_id, name] = max(last[outcome.session_id, name], event.received_at)
    if last:
        sessions.ensure(connection, {session_id for session_id, _ in last})
        sessions.record_last_seen(connection, last)


def _record_counts(connection: Connection, batches: Iterable[Batch], new_digests: set[bytes]) -> Counter[str]:
    """Count every event once as what it is, and every further copy as a duplicate."""
    uncounted = set(new_digests)
    counts: dict[ledger_rows.BatchId, Counter[str]] = {}
    total = Counter[str]()
    for batch in batches:
        kinds: list[str] = []
        for event in batch.events:
            if event.digest in uncounted:
                uncounted.remove(event.digest)
                kinds.append(event.outcome.kind)
            else:
                kinds.append("duplicate")
        total.update(kinds)
        if kinds.count("stored") < len(kinds):
            counts[batch.writer, batch.number] = Counter(kinds)
    ledger_rows.record_counts(connection, counts)
    return total
