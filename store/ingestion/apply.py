"""Writes batches into the history, in one transaction. They may come in any order and any number of times.

A batch that is delivered again is skipped; a further copy of an event counts as a duplicate.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from store.erasure import batch_filter, suppressions
from store.erasure.batch_filter import FilteredBatches
from store.erasure.suppressions import SuppressionCache
from store.feed import changes
from store.feed.changes import Change
from store.history import fold
from store.history.events import event_digests, parsed_events, raw_events
from store.history.events.event_digests import EventCopy
from store.history.events.parsed_events import ParsedEvent
from store.history.fold import FoldResult
from store.history.messages import message_keys
from store.history.sessions import sessions
from store.ledger import batch_counts
from store.ledger.batch_counts import BatchId
from store.model import timestamps
from store.model.batches import Batch, Event
from store.postgres import errors
from store.postgres.connections import Connection


def batches(
    connection: Connection,
    batches: Sequence[Batch],
    *,
    own_phone: str | None = None,
    suppressions: SuppressionCache | None = None,
    generation: str | None = None,
) -> Counter[str]:
    """Write the batches that are not written yet, in one transaction. Return the number of events by outcome.

    `own_phone` is the phone number of sessions that have not reported one. `generation`, if given, is that of the
    database to write to (store/feed/database_identity.py). Raises SuppressionKeyError if the key of erased people is
    missing; TransientError, after which the same call may succeed; and PermanentError, after which it cannot, because
    PostgreSQL rejects the content of an event. `dry_run` finds that event.
    """
    with errors.translated(), connection.transaction():
        return _write(connection, batches, own_phone, suppressions or SuppressionCache(), generation)


def dry_run(
    connection: Connection,
    batches: Sequence[Batch],
    *,
    own_phone: str | None = None,
    suppressions: SuppressionCache | None = None,
) -> None:
    """Write the batches and roll back. Raises the errors that `batches` would raise."""
    with errors.translated(), connection.transaction(force_rollback=True):
        _write(connection, batches, own_phone, suppressions or SuppressionCache())


def _write(
    connection: Connection,
    batches: Iterable[Batch],
    own_phone: str | None,
    cache: SuppressionCache,
    generation: str | None = None,
) -> Counter[str]:
    suppression_set = cache.current(connection)
    new = _claim(connection, batches, generation)
    filtered = None if suppression_set is None else batch_filter.filter_batches(connection, suppression_set, new)
    if filtered is not None:
        new = filtered.batches
    copies = [event for batch in new for event in batch.events]
    if not copies:
        return Counter()
    earliest = _earliest_copies(copies)
    recorded = event_digests.record(connection, (_event_copy(event) for event in earliest.values()))
    to_fold = [event for digest, event in earliest.items() if digest in recorded]
    if len(earliest) < len(copies):
        to_fold += _copies_that_change_dates(connection, copies, earliest)
    folded = fold.apply(
        connection, [parsed for event in to_fold for parsed in _parsed_events(event)], own_phone=own_phone
    )
    new_digests = {digest for digest, is_new in recorded.items() if is_new}
    _insert_bodies(connection, [earliest[digest] for digest in earliest if digest in new_digests], filtered, folded)
    changes.publish(connection, [*folded.changes, *_ping_changes(earliest[digest] for digest in new_digests)])
    _record_last_seen(connection, copies, folded.sessions)
    counts = _record_counts(connection, new, new_digests)
    if suppression_set is not None and filtered is not None:
        suppressions.add_aliases(connection, suppression_set, filtered.aliases)
    return counts


def _claim(connection: Connection, batches: Iterable[Batch], generation: str | None) -> Sequence[Batch]:
    """Return the batches that no transaction has written yet, without duplicates."""
    # A batch whose confirmation was lost is in the stream twice, and both entries may be in the same group.
    distinct = {(batch.writer, batch.number): batch for batch in batches}
    claimed = batch_counts.claim(connection, distinct.values(), generation)
    return [batch for batch_id, batch in distinct.items() if batch_id in claimed]


def _earliest_copies(copies: Iterable[Event]) -> dict[bytes, Event]:
    earliest: dict[bytes, Event] = {}
    for event in copies:
        if event.received_at < earliest.setdefault(event.digest, event).received_at:
            earliest[event.digest] = event
    return earliest


def _copies_that_change_dates(
    connection: Connection, copies: Iterable[Event], earliest: Mapping[bytes, Event]
) -> list[Event]:
    """Return the latest copies whose receipts change a date, because the events' own times are not credible."""
    latest: dict[bytes, Event] = {}
    for event in copies:
        if event.received_at > latest.get(event.digest, earliest[event.digest]).received_at:
            latest[event.digest] = event
    if not latest:
        return []
    recorded = event_digests.record(connection, (_event_copy(event) for event in latest.values()))
    return [event for digest, event in latest.items() if digest in recorded]


def _insert_bodies(
    connection: Connection, events: Iterable[Event], filtered: FilteredBatches | None, folded: FoldResult
) -> None:
    """Insert the bodies of new events, except those that mention erased people."""
    without_body: Collection[bytes] = () if filtered is None else filtered.digests_without_body
    if without_body:
        message_keys.mark_pruned(
            connection, [key_id for digest in without_body for key_id in folded.key_ids_by_digest.get(digest, ())]
        )
    kept = (event for event in events if event.digest not in without_body and event.outcome.kind != "forgotten")
    raw_events.insert(connection, kept, folded.key_ids_by_digest)


def _ping_changes(events: Iterable[Event]) -> list[Change]:
    """Return the changes that announce new pings.

    They change no history, but show that the path to the readers works.
    """
    pinged = {event.outcome.session_id for event in events if event.outcome.kind == "ping"}
    return [Change("session", session_id) for session_id in sorted(pinged, key=str)]


def _event_copy(event: Event) -> EventCopy:
    return EventCopy(event.digest, event.received_at, event.outcome.kind, _latest_claimed_at(event))


def _latest_claimed_at(event: Event) -> int | None:
    """Return the latest time that the event's facts claim, or None if the receipt must date any of them.

    Returns None if there are no facts, because a later parser may find facts that the receipt must date.
    """
    latest = None
    for fact in event.outcome.all_facts:
        if fact.time is None or fact.time < timestamps.EARLIEST_PLAUSIBLE:
            return None
        if latest is None or fact.time > latest:
            latest = fact.time
    return latest


def _parsed_events(event: Event) -> list[ParsedEvent]:
    return parsed_events.of_outcome(event.outcome, event.digest, event.received_at, event.order)


def _record_last_seen(connection: Connection, copies: Iterable[Event], known_sessions: Collection[str]) -> None:
    last_seen: dict[tuple[str, str], int] = {}
    for event in copies:
        outcome = event.outcome
        name = sessions.PING_EVENT if outcome.kind == "ping" else (outcome.event_type or "unnamed")
        for session_id in outcome.session_ids:
            if event.received_at > last_seen.setdefault((session_id, name), event.received_at):
                last_seen[session_id, name] = event.received_at
    if last_seen:
        if unknown := {session_id for session_id, _ in last_seen}.difference(known_sessions):
            sessions.ensure(connection, unknown)
        sessions.record_last_seen(connection, last_seen)


def _record_counts(connection: Connection, batches: Iterable[Batch], new_digests: set[bytes]) -> Counter[str]:
    """Count each event once by its outcome, and every further copy as a duplicate."""
    uncounted = set(new_digests)
    counts: dict[BatchId, Counter[str]] = {}
    total: list[str] = []
    for batch in batches:
        kinds: list[str] = []
        for event in batch.events:
            if event.digest in uncounted:
                uncounted.remove(event.digest)
                kinds.append(event.outcome.kind)
            else:
                kinds.append("duplicate")
        total += kinds
        if kinds.count("stored") < len(kinds):
            counts[batch.writer, batch.number] = Counter(kinds)
    batch_counts.record_counts(connection, counts)
    return Counter(total)
