"""Handles facts that belong to no message: names, LID evidence and session reports.

The latest fact of a subject counts.

Facts are stored with their precedence, so folding an event again adds what is missing and changes nothing else. A wrong
fact that precedes the right one is retracted first (store/replay/retractions.py).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias, cast

from store.erasure import suppressions
from store.feed import changes
from store.history import fold
from store.history.events.parsed_events import ParsedEvent
from store.history.sessions import sessions
from store.history.sessions.accounts import Accounts
from store.model.facts import DisplayName, Fact, LidAlias, SessionReport
from store.postgres import json_rows
from store.postgres.connections import Connection
from store.replay.report import Difference
from store.replay.sources import SourceEvent

FactKind: TypeAlias = Literal["name", "alias", "state", "phone", "seen"]
FactKey: TypeAlias = tuple[FactKind, str, str, str]
"""(kind, session_id, subject, object)"""
FactRow: TypeAlias = tuple[FactKind, str, str, str, int, int, bytes, str | None]

_FACT_TYPES = (DisplayName, LidAlias, SessionReport)


@dataclass(frozen=True, slots=True)
class LatestFact:
    kind: FactKind
    session_id: str
    subject: str
    """The address of a name, the LID of evidence, or the event type of `seen`; otherwise empty."""
    object: str
    """The phone of evidence; otherwise empty."""
    rank: int
    effective_at: int
    """In ms."""
    digest: bytes
    value: str | None

    @property
    def key(self) -> FactKey:
        return self.kind, self.session_id, self.subject, self.object

    @property
    def precedence(self) -> tuple[int, int, bytes]:
        return self.rank, self.effective_at, self.digest


def extract(source: SourceEvent) -> Iterator[LatestFact]:
    """Yield all such facts in an event, once for each time of receipt that dates something."""
    for parsed_event in source.parsed_events:
        for fact in parsed_event.facts:
            yield from _extract_from_fact(parsed_event, fact, source.accounts)
    if source.stored_outcome != "forgotten":
        name = sessions.PING_EVENT if source.outcome.kind == "ping" else (source.outcome.event_type or "unnamed")
        for each in source.outcome.by_session:
            yield LatestFact("seen", each.session_id, name, "", 0, source.last_received_at, source.digest, None)


def _extract_from_fact(parsed_event: ParsedEvent, fact: Fact, accounts: Accounts) -> Iterator[LatestFact]:
    session_id, digest = parsed_event.session_id, parsed_event.digest
    at = parsed_event.effective_time(fact.time)
    if isinstance(fact, DisplayName):
        yield LatestFact("name", session_id, fact.address, "", fact.quality, at, digest, fact.name)
    elif isinstance(fact, LidAlias):
        yield LatestFact("alias", accounts.primary_of(session_id), fact.lid, fact.phone, 0, at, digest, None)
    elif isinstance(fact, SessionReport):
        if fact.state is not None:
            yield LatestFact("state", session_id, "", "", 0, at, digest, fact.state)
        if fact.phone is not None:
            yield LatestFact("phone", session_id, "", "", 0, at, digest, fact.phone)


def extract_latest(sources: Iterable[SourceEvent]) -> dict[FactKey, LatestFact]:
    """Return the latest fact of each subject in these events."""
    latest: dict[FactKey, LatestFact] = {}
    for source in sources:
        for fact in extract(source):
            if fact.key not in latest or latest[fact.key].precedence < fact.precedence:
                latest[fact.key] = fact
    return latest


def missing(connection: Connection, facts: Iterable[LatestFact]) -> list[tuple[LatestFact, str | None]]:
    """Return the facts that precede those in the history, each with the stored value. Erased events have none."""
    found = connection.execute(
        """
        SELECT r.kind, r.session_id, r.subject, r.object, r.rank, r.effective_at, r.digest, r.value,
            CASE r.kind WHEN 'name' THEN c.own_name WHEN 'state' THEN n.state WHEN 'phone' THEN n.phone END
        FROM (
            SELECT r.kind, r.session_id, r.subject, r.object, r.rank, r.effective_at, decode(r.digest, 'hex') AS digest,
                r.value
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                kind text, session_id text, subject text, object text, rank smallint, effective_at bigint, digest text,
                value text
            )
        ) AS r
        LEFT JOIN sessions AS n ON n.session_id = r.session_id
        LEFT JOIN chats AS c ON r.kind = 'name' AND c.session_id = r.session_id AND c.address = r.subject
        LEFT JOIN lid_aliases AS a
            ON r.kind = 'alias' AND a.session_id = r.session_id AND a.lid = r.subject AND a.phone = r.object
        LEFT JOIN session_events AS e ON r.kind = 'seen' AND e.session_number = n.session_number
            AND e.event = r.subject
        WHERE coalesce(
                CASE r.kind
                    WHEN 'name' THEN c.own_name IS NULL OR (c.own_name_quality, c.own_name_at, c.own_name_digest)
                        < (r.rank, r.effective_at, r.digest)
                    WHEN 'alias' THEN (a.observed_at, a.digest) < (r.effective_at, r.digest)
                    WHEN 'state' THEN (n.state_at, n.state_digest) < (r.effective_at, r.digest)
                    WHEN 'phone' THEN (n.phone_at, n.phone_digest) < (r.effective_at, r.digest)
                    WHEN 'seen' THEN e.last_at < r.effective_at
                END,
                true
            )
            AND (r.kind = 'seen' OR NOT EXISTS (
                SELECT FROM event_digests AS d WHERE d.digest = r.digest AND d.outcome = 'forgotten'
            ))
        ORDER BY r.kind, r.session_id, r.subject, r.object
        """,
        {"rows": json_rows.encode(asdict(fact) for fact in facts)},
        binary=True,
    )
    return [(LatestFact(*cast("FactRow", row[:8])), cast("str | None", row[8])) for row in found]


def apply_missing(connection: Connection, sources: Sequence[SourceEvent]) -> list[Difference]:
    """Fold the facts that precede those in the history, in the caller's transaction. Return the differences."""
    suppressions.lock_shared(connection)
    found = missing(connection, extract_latest(sources).values())
    due = {fact.digest for fact, _ in found if fact.kind != "seen"}
    events = [_without_messages(event) for source in sources if source.digest in due for event in source.parsed_events]
    changes.publish(connection, fold.apply(connection, events).changes)
    if seen := {(fact.session_id, fact.subject): fact.effective_at for fact, _ in found if fact.kind == "seen"}:
        sessions.ensure(connection, {session_id for session_id, _ in seen})
        sessions.record_last_seen(connection, seen)
    return [describe(fact, value) for fact, value in found]


def _without_messages(event: ParsedEvent) -> ParsedEvent:
    return event._replace(facts=tuple(fact for fact in event.facts if isinstance(fact, _FACT_TYPES)))


def describe(latest_fact: LatestFact, before: str | None) -> Difference:
    """Return the difference that a missing fact makes."""
    return _difference(latest_fact, before, latest_fact.value or latest_fact.object or latest_fact.effective_at)


def describe_retraction(retracted: LatestFact, replacement: LatestFact | None) -> Difference:
    """Return the difference that a wrong fact makes."""
    after = None if replacement is None else (replacement.value or replacement.object)
    return _difference(retracted, retracted.value or retracted.object, after)


def _difference(latest_fact: LatestFact, before: object, after: object) -> Difference:
    location = " ".join(part for part in latest_fact.key[1:] if part)
    return Difference(_DIFFERENCE_KINDS[latest_fact.kind], location, before, after)


_DIFFERENCE_KINDS: dict[FactKind, str] = {
    "name": "chat name",
    "alias": "LID evidence",
    "state": "session state",
    "phone": "session phone",
    "seen": "session event seen",
}
