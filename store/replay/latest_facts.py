"""What events say of addresses and sessions: names, evidence on LIDs, states. The greatest of each kind counts.

Nothing links a name to its event, so a replay listens to all events and remembers the greatest of each; what the
history says and no event does any more is then taken back (store/replay/retractions.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias, cast

from store.feed import changes
from store.history import fold, sessions
from store.history.parsed_events import ParsedEvent
from store.model.facts import DisplayName, Fact, LidAlias, SessionReport, SessionState
from store.postgres import json_rows
from store.postgres.connections import Connection
from store.replay.report import Difference
from store.replay.shadow import shadow_search_path
from store.replay.sources import SourceEvent

FactKind: TypeAlias = Literal["name", "alias", "state", "phone", "seen"]
FactKey: TypeAlias = tuple[FactKind, str, str, str]
"""(kind, session_id, subject, object), as in the table."""

BEFORE_FIRST: FactKey = ("alias", "", "", "")
"""Below every subject."""


@dataclass(frozen=True, slots=True)
class LatestFact:
    kind: FactKind
    session_id: str
    subject: str
    object: str
    rank: int
    effective_at: int
    digest: bytes
    value: str | None

    @property
    def key(self) -> FactKey:
        return self.kind, self.session_id, self.subject, self.object

    @property
    def precedence(self) -> tuple[int, int, bytes]:
        return self.rank, self.effective_at, self.digest


def extract(source: SourceEvent) -> Iterator[LatestFact]:
    """Everything of that sort that the event says, at each receipt that matters."""
    for telling in source.parsed_events:
        for fact in telling.facts:
            yield from _extract_from_fact(telling, fact)
    session_id = source.outcome.session_id
    if session_id is not None and source.stored_outcome != "forgotten":
        name = sessions.PING_EVENT if source.outcome.kind == "ping" else (source.outcome.event_type or "unnamed")
        yield LatestFact("seen", session_id, name, "", 0, source.last_received_at, source.digest, None)


def _extract_from_fact(parsed_event: ParsedEvent, fact: Fact) -> Iterator[LatestFact]:
    session_id, digest = parsed_event.session_id, parsed_event.digest
    if isinstance(fact, DisplayName):
        yield LatestFact(
            "name",
            session_id,
            fact.address,
            "",
            fact.quality,
            parsed_event.effective_time(fact.time),
            digest,
            fact.name,
        )
    elif isinstance(fact, LidAlias):
        yield LatestFact(
            "alias", session_id, fact.lid, fact.phone, 0, parsed_event.effective_time(fact.time), digest, None
        )
    elif isinstance(fact, SessionReport):
        at = parsed_event.effective_time(fact.time)
        if fact.state is not None:
            yield LatestFact("state", session_id, "", "", 0, at, digest, fact.state)
        if fact.phone is not None:
            yield LatestFact("phone", session_id, "", "", 0, at, digest, fact.phone)


def collect(connection: Connection, sources: Iterable[SourceEvent]) -> None:
    """Remember the greatest of each subject."""
    greatest: dict[FactKey, tuple[LatestFact, int]] = {}
    for source in sources:
        for saying in extract(source):
            if saying.key not in greatest or greatest[saying.key][0].precedence < saying.precedence:
                greatest[saying.key] = saying, source.event_id
    if not greatest:
        return
    with shadow_search_path(connection):
        connection.execute(
            """
            INSERT INTO latest_facts AS s (kind, session_id, subject, object, rank, effective_at, digest, value,
                event_id)
            SELECT r.kind, r.session_id, r.subject, r.object, r.rank, r.effective_at, decode(r.digest, 'hex'), r.value,
                r.event_id
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                kind text, session_id text, subject text, object text, rank smallint, effective_at bigint, digest text,
                value text, event_id bigint
            )
            ON CONFLICT (kind, session_id, subject, object) DO UPDATE
            SET rank = excluded.rank, effective_at = excluded.effective_at, digest = excluded.digest,
                value = excluded.value,
                event_id = excluded.event_id
            WHERE (s.rank, s.effective_at, s.digest) < (excluded.rank, excluded.effective_at, excluded.digest)
            """,
            {
                "rows": json_rows.encode(
                    {**asdict(saying), "event_id": event_id} for saying, event_id in greatest.values()
                )
            },
        )


def missing(connection: Connection, after: FactKey, limit: int) -> list[tuple[LatestFact, str | None]]:
    """The next sayings that are greater than what the history has, each with what it has."""
    kind, session_id, subject, of = after
    with shadow_search_path(connection):
        found = connection.execute(
            """
            SELECT s.kind, s.session_id, s.subject, s.object, s.rank, s.effective_at, s.digest, s.value,
                CASE s.kind WHEN 'name' THEN c.own_name WHEN 'state' THEN n.state WHEN 'phone' THEN n.phone END
            FROM latest_facts AS s
            LEFT JOIN sessions AS n ON n.session_id = s.session_id
            LEFT JOIN public.chats AS c ON s.kind = 'name' AND c.session_id = s.session_id AND c.address = s.subject
            LEFT JOIN lid_aliases AS a
                ON s.kind = 'alias' AND a.session_id = s.session_id AND a.lid = s.subject AND a.phone = s.object
            LEFT JOIN session_events AS e ON s.kind = 'seen' AND e.session_number = n.session_number
                AND e.event = s.subject
            WHERE (s.kind, s.session_id, s.subject, s.object)
                    > (%(kind)s, %(session_id)s, %(subject)s, %(object)s)
                -- What was forgotten since it was heard.
                AND (s.kind = 'seen' OR NOT EXISTS (
                    SELECT FROM event_digests AS d WHERE d.digest = s.digest AND d.outcome = 'forgotten'
                ))
                AND coalesce(
                    CASE s.kind
                        WHEN 'name' THEN (c.own_name_quality, c.own_name_at, c.own_name_digest)
                            < (s.rank, s.effective_at, s.digest) OR c.own_name IS NULL
                        WHEN 'alias' THEN (a.observed_at, a.digest) < (s.effective_at, s.digest)
                        WHEN 'state' THEN (n.state_at, n.state_digest) < (s.effective_at, s.digest)
                        WHEN 'phone' THEN (n.phone_at, n.phone_digest) < (s.effective_at, s.digest)
                        WHEN 'seen' THEN e.last_at < s.effective_at
                    END,
                    true
                )
            ORDER BY s.kind, s.session_id, s.subject, s.object
            LIMIT %(limit)s
            """,
            {"kind": kind, "session_id": session_id, "subject": subject, "object": of, "limit": limit},
            binary=True,
        ).fetchall()
    return [
        (
            LatestFact(*cast("tuple[FactKind, str, str, str, int, int, bytes, str | None]", row[:8])),
            cast("str | None", row[8]),
        )
        for row in found
    ]


def apply(connection: Connection, latest_facts: Iterable[LatestFact]) -> None:
    """Fold them into the history, in the caller's transaction, by the rules of every fold."""
    facts: defaultdict[tuple[bytes, str, int], list[Fact]] = defaultdict(list)
    seen: dict[tuple[str, str], int] = {}
    for one in latest_facts:
        if one.kind == "seen":
            seen[one.session_id, one.subject] = one.effective_at
        else:
            facts[one.digest, one.session_id, one.effective_at].append(_to_fact(one))
    tellings = [ParsedEvent(digest, at, 0, session_id, tuple(some)) for (digest, session_id, at), some in facts.items()]
    changes.publish(connection, fold.apply(connection, tellings).changes)
    if seen:
        sessions.ensure(connection, {session_id for session_id, _ in seen})
        sessions.record_last_seen(connection, seen)


def _to_fact(latest_fact: LatestFact) -> Fact:
    # Without a time of its own: it is effective when its telling is, which bears the time that was effective.
    match latest_fact.kind:
        case "name":
            return DisplayName(latest_fact.subject, latest_fact.value or "", 2 if latest_fact.rank == 2 else 1, None)
        case "alias":
            return LidAlias(latest_fact.subject, latest_fact.object, None)
        case "state":
            return SessionReport(cast("SessionState", latest_fact.value), None, None)
        case "phone" | "seen":
            return SessionReport(None, latest_fact.value, None)


def describe(latest_fact: LatestFact, before: str | None) -> Difference:
    """In words: what the history is to say from now on."""
    return Difference(
        _DIFFERENCE_KINDS[latest_fact.kind],
        _location(latest_fact),
        before,
        latest_fact.value or latest_fact.object or latest_fact.effective_at,
    )


def describe_retraction(retracted: LatestFact, replacement: LatestFact | None) -> Difference:
    """In words: what the history no longer says."""
    now = None if replacement is None else (replacement.value or replacement.object)
    return Difference(_DIFFERENCE_KINDS[retracted.kind], _location(retracted), retracted.value or retracted.object, now)


def get(connection: Connection, keys: Sequence[FactKey]) -> dict[FactKey, LatestFact]:
    """What was remembered of these subjects."""
    with shadow_search_path(connection):
        found = connection.execute(
            """
            SELECT s.kind, s.session_id, s.subject, s.object, s.rank, s.effective_at, s.digest, s.value
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (kind text, session_id text, subject text, object text)
            JOIN latest_facts AS s USING (kind, session_id, subject, object)
            """,
            {
                "rows": json_rows.encode(
                    dict(zip(("kind", "session_id", "subject", "object"), one, strict=True)) for one in keys
                )
            },
            binary=True,
        )
        known = [LatestFact(*cast("tuple[FactKind, str, str, str, int, int, bytes, str | None]", row)) for row in found]
    return {one.key: one for one in known}


def create_temporary_table(connection: Connection) -> None:
    """Remember for the life of this connection only."""
    connection.execute(
        "CREATE TEMPORARY TABLE latest_facts (LIKE public.latest_facts, PRIMARY KEY (kind, session_id, subject, "
        "object))"
    )


def _location(latest_fact: LatestFact) -> str:
    return " ".join(part for part in (latest_fact.session_id, latest_fact.subject, latest_fact.object) if part)


_DIFFERENCE_KINDS: dict[FactKind, str] = {
    "name": "chat name",
    "alias": "LID evidence",
    "state": "session state",
    "phone": "session phone",
    "seen": "session event seen",
}
