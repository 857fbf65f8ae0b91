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
from store.history.parsed_events import Telling
from store.model.facts import Alias, Fact, Name, SessionReport, SessionState
from store.postgres import json_rows
from store.postgres.connections import Connection
from store.replay.report import Difference
from store.replay.shadow import shadowed
from store.replay.sources import Source

Kind: TypeAlias = Literal["name", "alias", "state", "phone", "seen"]
Subject: TypeAlias = tuple[Kind, str, str, str]
"""(kind, session_id, subject, object), as in the table."""

FIRST: Subject = ("alias", "", "", "")
"""Below every subject."""


@dataclass(frozen=True, slots=True)
class Saying:
    kind: Kind
    session_id: str
    subject: str
    object: str
    weight: int
    at: int
    digest: bytes
    value: str | None

    @property
    def about(self) -> Subject:
        return self.kind, self.session_id, self.subject, self.object

    @property
    def order(self) -> tuple[int, int, bytes]:
        return self.weight, self.at, self.digest


def said(source: Source) -> Iterator[Saying]:
    """Everything of that sort that the event says, at each receipt that matters."""
    for telling in source.tellings:
        for fact in telling.facts:
            yield from _sayings(telling, fact)
    session_id = source.outcome.session_id
    if session_id is not None and source.was != "forgotten":
        name = sessions.PING if source.outcome.kind == "ping" else (source.outcome.event or "unnamed")
        yield Saying("seen", session_id, name, "", 0, source.seen_at, source.digest, None)


def _sayings(telling: Telling, fact: Fact) -> Iterator[Saying]:
    session_id, digest = telling.session_id, telling.digest
    if isinstance(fact, Name):
        yield Saying("name", session_id, fact.address, "", fact.quality, telling.at(fact.time), digest, fact.name)
    elif isinstance(fact, Alias):
        yield Saying("alias", session_id, fact.lid, fact.phone, 0, telling.at(fact.time), digest, None)
    elif isinstance(fact, SessionReport):
        at = telling.at(fact.time)
        if fact.state is not None:
            yield Saying("state", session_id, "", "", 0, at, digest, fact.state)
        if fact.phone is not None:
            yield Saying("phone", session_id, "", "", 0, at, digest, fact.phone)


def listen(connection: Connection, sources: Iterable[Source]) -> None:
    """Remember the greatest of each subject."""
    greatest: dict[Subject, tuple[Saying, int]] = {}
    for source in sources:
        for saying in said(source):
            if saying.about not in greatest or greatest[saying.about][0].order < saying.order:
                greatest[saying.about] = saying, source.event_id
    if not greatest:
        return
    with shadowed(connection):
        connection.execute(
            """
            INSERT INTO sayings AS s (kind, session_id, subject, object, weight, at, digest, value, event_id)
            SELECT r.kind, r.session_id, r.subject, r.object, r.weight, r.at, decode(r.digest, 'hex'), r.value,
                r.event_id
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                kind text, session_id text, subject text, object text, weight smallint, at bigint, digest text,
                value text, event_id bigint
            )
            ON CONFLICT (kind, session_id, subject, object) DO UPDATE
            SET weight = excluded.weight, at = excluded.at, digest = excluded.digest, value = excluded.value,
                event_id = excluded.event_id
            WHERE (s.weight, s.at, s.digest) < (excluded.weight, excluded.at, excluded.digest)
            """,
            {
                "rows": json_rows.document(
                    {**asdict(saying), "event_id": event_id} for saying, event_id in greatest.values()
                )
            },
        )


def unheard(connection: Connection, after: Subject, limit: int) -> list[tuple[Saying, str | None]]:
    """The next sayings that are greater than what the history has, each with what it has."""
    kind, session_id, subject, of = after
    with shadowed(connection):
        found = connection.execute(
            """
            SELECT s.kind, s.session_id, s.subject, s.object, s.weight, s.at, s.digest, s.value,
                CASE s.kind WHEN 'name' THEN c.own_name WHEN 'state' THEN n.state WHEN 'phone' THEN n.phone END
            FROM sayings AS s
            LEFT JOIN sessions AS n ON n.session_id = s.session_id
            LEFT JOIN public.chats AS c ON s.kind = 'name' AND c.session_id = s.session_id AND c.address = s.subject
            LEFT JOIN aliases AS a
                ON s.kind = 'alias' AND a.session_id = s.session_id AND a.lid = s.subject AND a.phone = s.object
            LEFT JOIN session_events AS e ON s.kind = 'seen' AND e.session = n.session AND e.event = s.subject
            WHERE (s.kind, s.session_id, s.subject, s.object)
                    > (%(kind)s, %(session_id)s, %(subject)s, %(object)s)
                -- What was forgotten since it was heard.
                AND (s.kind = 'seen' OR NOT EXISTS (
                    SELECT FROM digests AS d WHERE d.digest = s.digest AND d.outcome = 'forgotten'
                ))
                AND coalesce(
                    CASE s.kind
                        WHEN 'name' THEN (c.own_name_quality, c.own_name_at, c.own_name_digest)
                            < (s.weight, s.at, s.digest) OR c.own_name IS NULL
                        WHEN 'alias' THEN (a.told_at, a.digest) < (s.at, s.digest)
                        WHEN 'state' THEN (n.state_at, n.state_digest) < (s.at, s.digest)
                        WHEN 'phone' THEN (n.phone_at, n.phone_digest) < (s.at, s.digest)
                        WHEN 'seen' THEN e.last_at < s.at
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
        (Saying(*cast("tuple[Kind, str, str, str, int, int, bytes, str | None]", row[:8])), cast("str | None", row[8]))
        for row in found
    ]


def hear(connection: Connection, sayings: Iterable[Saying]) -> None:
    """Fold them into the history, in the caller's transaction, by the rules of every fold."""
    facts: defaultdict[tuple[bytes, str, int], list[Fact]] = defaultdict(list)
    seen: dict[tuple[str, str], int] = {}
    for one in sayings:
        if one.kind == "seen":
            seen[one.session_id, one.subject] = one.at
        else:
            facts[one.digest, one.session_id, one.at].append(_fact(one))
    tellings = [Telling(digest, at, 0, session_id, tuple(some)) for (digest, session_id, at), some in facts.items()]
    changes.publish(connection, fold.fold(connection, tellings).changes)
    if seen:
        sessions.ensure(connection, {session_id for session_id, _ in seen})
        sessions.saw(connection, seen)


def _fact(saying: Saying) -> Fact:
    # Without a time of its own: it is effective when its telling is, which bears the time that was effective.
    match saying.kind:
        case "name":
            return Name(saying.subject, saying.value or "", 2 if saying.weight == 2 else 1, None)
        case "alias":
            return Alias(saying.subject, saying.object, None)
        case "state":
            return SessionReport(cast("SessionState", saying.value), None, None)
        case "phone" | "seen":
            return SessionReport(None, saying.value, None)


def told(saying: Saying, was: str | None) -> Difference:
    """In words: what the history is to say from now on."""
    return Difference(_KINDS[saying.kind], _where(saying), was, saying.value or saying.object or saying.at)


def withdrawn(saying: Saying, instead: Saying | None) -> Difference:
    """In words: what the history no longer says."""
    now = None if instead is None else (instead.value or instead.object)
    return Difference(_KINDS[saying.kind], _where(saying), saying.value or saying.object, now)


def greatest(connection: Connection, about: Sequence[Subject]) -> dict[Subject, Saying]:
    """What was remembered of these subjects."""
    with shadowed(connection):
        found = connection.execute(
            """
            SELECT s.kind, s.session_id, s.subject, s.object, s.weight, s.at, s.digest, s.value
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (kind text, session_id text, subject text, object text)
            JOIN sayings AS s USING (kind, session_id, subject, object)
            """,
            {
                "rows": json_rows.document(
                    dict(zip(("kind", "session_id", "subject", "object"), one, strict=True)) for one in about
                )
            },
            binary=True,
        )
        known = [Saying(*cast("tuple[Kind, str, str, str, int, int, bytes, str | None]", row)) for row in found]
    return {one.about: one for one in known}


def prepare_dry(connection: Connection) -> None:
    """Remember for the life of this connection only."""
    connection.execute(
        "CREATE TEMPORARY TABLE sayings (LIKE public.sayings, PRIMARY KEY (kind, session_id, subject, object))"
    )


def _where(saying: Saying) -> str:
    return " ".join(part for part in (saying.session_id, saying.subject, saying.object) if part)


_KINDS: dict[Kind, str] = {
    "name": "chat name",
    "alias": "LID evidence",
    "state": "session state",
    "phone": "session phone",
    "seen": "session event seen",
}
