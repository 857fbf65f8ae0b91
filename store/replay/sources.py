"""Reads raw events and parses them with the current parser."""

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from store.erasure import batch_filter
from store.erasure.suppressions import SuppressionCache, SuppressionSet
from store.history.events import parsed_events
from store.history.events.parsed_events import ParsedEvent
from store.history.sessions import accounts
from store.history.sessions.accounts import Accounts
from store.ledger import set_aside_events
from store.model.facts import Outcome
from store.model.keys import MessageKey
from store.postgres.connections import Connection

SetAsideReason: TypeAlias = tuple[str, str | None, str | None]
"""The reason why an event is parked or noise: (reason, session_id, event)."""
_MAX_TRANSACTION_SECONDS = 30.0
"""The time in seconds within which every transaction of a worker ends (store/postgres/connections.py)."""
_MAX_PAGE_BYTES = 8 << 20
"""The size of the bodies in one page."""
_SourceRow: TypeAlias = tuple[
    int, bytes, bytes, list[int], int, int, str, str | None, str | None, str | None, str | None
]


@dataclass(frozen=True, slots=True)
class EventParser:
    """The parser of a replay, and how it classifies events that it does not parse."""

    parse: Callable[[str | None, bytes], Outcome]
    """Parses a body from a sender (store/model/batches.py)."""
    name: str
    """The version of the parser."""
    rejected_reason: str
    """The reason with which events are parked that can be parsed, but that PostgreSQL rejects."""
    poison_reason: str
    """The reason with which events are parked that kill the worker which parses them. They are not parsed again."""
    suppressions: SuppressionCache = field(default_factory=SuppressionCache)
    """The suppressions of erased people. An event that proves to be about one of them is dropped."""


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """A raw event with its stored and its current outcome."""

    event_id: int
    digest: bytes
    linked_key_ids: frozenset[int]
    """The keys of the messages that the event is linked to."""
    stored_outcome: str
    stored_reason: SetAsideReason | None
    sender: str | None
    outcome: Outcome
    """The outcome under the current parser, without facts about erased people."""
    is_partly_forgotten: bool
    """True if some facts are about erased people, so that the body must be deleted."""
    first_received_at: int
    """The time of the first known receipt in ms."""
    last_received_at: int
    """The time of the last known receipt in ms."""
    parsed_events: Sequence[ParsedEvent]
    """One for each session and each receipt that dates something, earliest receipt first."""
    message_keys: frozenset[MessageKey]
    """The keys of the messages that the event is about now."""
    accounts: Accounts

    @property
    def current_reason(self) -> SetAsideReason | None:
        """The reason why the event is now parked or noise, or None if it is neither."""
        if self.outcome.kind not in set_aside_events.KINDS:
            return None
        return self.outcome.reason or "unknown", self.outcome.session_id, self.outcome.event_type


def last_visible_event(connection: Connection) -> int:
    """Return the greatest event id once all events below it are visible.

    Ids are assigned before COMMIT, so smaller ids may become visible later. The function waits for the transactions
    that are running when it is called.
    """
    row = connection.execute(
        "SELECT coalesce(max(e.event_id), 0), pg_snapshot_xmax(pg_current_snapshot())::text FROM raw_events AS e"
    ).fetchone()
    last, running = cast("tuple[int, str]", row)
    deadline = time.monotonic() + _MAX_TRANSACTION_SECONDS
    have_ended = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s::text::xid8"
    while connection.execute(have_ended, [running]).fetchone() != (True,) and time.monotonic() < deadline:
        time.sleep(0.01)
    return last


def page_of_ids(connection: Connection, after: int, last_event_id: int, limit: int) -> list[int]:
    """Return the next event ids in order, at most `limit` of them and about 8 MiB of bodies."""
    found = connection.execute(
        """
        SELECT e.event_id, octet_length(e.body) FROM raw_events AS e
        WHERE e.event_id > %(after)s AND e.event_id <= %(last)s
        ORDER BY e.event_id
        LIMIT %(limit)s
        """,
        {"after": after, "last": last_event_id, "limit": limit},
    )
    return _within_byte_limit(cast("Iterable[tuple[int, int]]", found))


def first_within_limit(connection: Connection, event_ids: Collection[int]) -> list[int]:
    """Return the first of these ids, with about 8 MiB of bodies, but at least one that has a body, if any."""
    found = connection.execute(
        "SELECT e.event_id, octet_length(e.body) FROM raw_events AS e WHERE e.event_id = ANY(%s) ORDER BY e.event_id",
        [list(event_ids)],
    )
    return _within_byte_limit(cast("Iterable[tuple[int, int]]", found))


def _within_byte_limit(found: Iterable[tuple[int, int]]) -> list[int]:
    sizes = dict(found)
    fit = sum(size <= _MAX_PAGE_BYTES for size in itertools.accumulate(sizes.values()))
    return list(sizes)[: max(fit, 1)]


def load(
    connection: Connection, event_ids: Collection[int], parser: EventParser, rejected: Collection[int] = ()
) -> list[SourceEvent]:
    """Parse these events again. Return them sorted by id. `rejected` are the ids of events that PostgreSQL rejects.

    Raises SuppressionKeyError.
    """
    suppressions = parser.suppressions.current(connection)
    known_accounts = accounts.lock(connection)
    found = connection.execute(
        """
        SELECT e.event_id, e.digest, e.body,
            array_remove(ARRAY(SELECT k.key_id FROM event_keys AS k WHERE k.event_id = e.event_id) || e.key_id, NULL),
            d.received_at, coalesce(d.last_received_at, d.received_at), d.outcome,
            coalesce(p.reason, n.reason), coalesce(p.session_id, n.session_id), coalesce(p.event, n.event),
            e.sender
        FROM raw_events AS e
        JOIN event_digests AS d USING (digest)
        LEFT JOIN parked_events AS p USING (digest)
        LEFT JOIN noise_events AS n USING (digest)
        WHERE e.event_id = ANY(%(events)s)
        ORDER BY e.event_id
        """,
        {"events": list(event_ids)},
        binary=True,
    )
    return [_source_from_row(cast("_SourceRow", row), parser, rejected, suppressions, known_accounts) for row in found]


def _source_from_row(
    row: _SourceRow,
    parser: EventParser,
    rejected: Collection[int],
    suppressions: SuppressionSet | None,
    known_accounts: Accounts,
) -> SourceEvent:
    event_id, digest, body, key_ids, first, last, stored_outcome, reason, session_id, event, sender = row
    poisoned = reason == parser.poison_reason
    outcome = Outcome("parked", reason, session_id, event, None) if poisoned else parser.parse(sender, body)
    fact_count = len(outcome.all_facts)
    if suppressions is not None:
        outcome = batch_filter.without_suppressed(suppressions, outcome, first, body, known_accounts)
    if event_id in rejected and outcome.kind != "forgotten":
        outcome = Outcome("parked", parser.rejected_reason, outcome.session_id, outcome.event_type, outcome.time)
    parsed: tuple[ParsedEvent, ...] = ()
    # An erased event stays erased, even if its body still exists.
    if stored_outcome != "forgotten":
        # Event ids increase with the position in the batch, so they order events with the same time of receipt in the
        # same way.
        parsed = tuple(
            each
            for receipt in sorted({first, last})
            for each in parsed_events.of_outcome(outcome, digest, receipt, event_id % 65536)
        )
    return SourceEvent(
        event_id=event_id,
        digest=digest,
        linked_key_ids=frozenset(key_ids),
        stored_outcome=stored_outcome,
        stored_reason=None if reason is None else (reason, session_id, event),
        sender=sender,
        outcome=outcome,
        is_partly_forgotten=outcome.kind == "stored" and len(outcome.all_facts) < fact_count,
        first_received_at=first,
        last_received_at=last,
        parsed_events=parsed,
        message_keys=frozenset(key for each in parsed for _, key in each.keyed_message_facts(known_accounts)),
        accounts=known_accounts,
    )
