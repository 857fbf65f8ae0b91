"""Records outages: times in which checks found a session disconnected from WhatsApp."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from store.feed import changes
from store.feed.changes import Change
from store.history import sessions
from store.postgres import errors
from store.postgres.connections import Connection

OutageKind: TypeAlias = Literal["disconnected", "unreachable"]
"""The gateway reports it, or the gateway does not answer."""


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """The result of one check of a session; times in ms."""

    checked_at: int
    outage_kind: OutageKind | None
    """None if it is connected."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outage:
    """Times in ms."""

    session_id: str
    kind: OutageKind
    connected_at: int | None
    """The last time at which it was connected; the outage began later."""
    first_at: int
    """The first check that found it disconnected."""
    last_at: int
    ended_at: int | None
    """The first check that found it connected again; None if none did."""
    looks: int
    """The number of checks that found it disconnected."""
    reason: str


def claim_check(connection: Connection, session_id: str, seconds: float) -> bool:
    """True if the caller shall check the session now; no other process does for so many seconds."""
    with errors.translated():
        claimed = connection.execute(
            """
            INSERT INTO session_checks AS w (session_id, next_check_at)
            VALUES (%(session_id)s, now() + make_interval(secs => %(seconds)s))
            ON CONFLICT (session_id) DO UPDATE SET next_check_at = excluded.next_check_at WHERE w.next_check_at <= now()
            """,
            {"session_id": session_id, "seconds": seconds},
        )
    return claimed.rowcount == 1


def postpone_check(connection: Connection, session_id: str, seconds: float) -> None:
    """Let no process check the session for so many seconds."""
    with errors.translated():
        connection.execute(
            "UPDATE session_checks SET next_check_at = now() + make_interval(secs => %s) WHERE session_id = %s",
            [seconds, session_id],
        )


def record_check(connection: Connection, session_id: str, check: ConnectionCheck) -> int:
    """Record a check; returns the number of consecutive checks that found the session disconnected."""
    with errors.translated(), connection.transaction():
        sessions.ensure(connection, {session_id})
        watched = connection.execute(
            """
            INSERT INTO session_checks AS w (session_id, next_check_at, connected_at)
            VALUES (%(session_id)s, now(), %(connected_at)s)
            ON CONFLICT (session_id) DO UPDATE SET connected_at = coalesce(excluded.connected_at, w.connected_at)
            RETURNING w.connected_at
            """,
            {"session_id": session_id, "connected_at": None if check.outage_kind else check.checked_at},
        ).fetchone()
        assert watched is not None, "an upsert returns its row"
        same = connection.execute(
            """
            UPDATE outages
            SET last_at = greatest(last_at, %(at)s), looks = looks + 1, reason = %(reason)s
            WHERE session_id = %(session_id)s AND ended_at IS NULL AND kind = %(away)s
            RETURNING looks
            """,
            {"session_id": session_id, "at": check.checked_at, "away": check.outage_kind, "reason": check.reason},
        ).fetchone()
        if same is not None:
            return cast("int", same[0])
        ended = connection.execute(
            """
            UPDATE outages SET ended_at = greatest(last_at, %(at)s)
            WHERE session_id = %(session_id)s AND ended_at IS NULL
            RETURNING looks
            """,
            {"session_id": session_id, "at": check.checked_at},
        ).fetchone()
        if check.outage_kind is not None:
            connection.execute(
                """
                INSERT INTO outages (session_id, kind, connected_at, first_at, last_at, reason)
                VALUES (%(session_id)s, %(away)s, %(connected_at)s, %(at)s, %(at)s, %(reason)s)
                """,
                {
                    "session_id": session_id,
                    "away": check.outage_kind,
                    "connected_at": watched[0],
                    "at": check.checked_at,
                    "reason": check.reason,
                },
            )
        if check.outage_kind is not None or ended is not None:
            changes.publish(connection, [Change("session", session_id)])
    if check.outage_kind is None:
        return 0
    return 1 + (0 if ended is None else cast("int", ended[0]))


def between(
    connection: Connection, session_ids: Collection[str] | None, since: int, until: int, limit: int = 100
) -> list[Outage]:
    """The newest outages of these sessions (None: all) that overlap a period in ms; the oldest first."""
    with errors.translated():
        found = connection.execute(
            """
            SELECT o.session_id, o.kind, o.connected_at, o.first_at, o.last_at, o.ended_at, o.looks, o.reason
            FROM outages AS o
            WHERE (%(sessions)s::text[] IS NULL OR o.session_id = ANY(%(sessions)s))
                AND coalesce(o.connected_at, o.first_at) <= %(until)s
                AND (o.ended_at IS NULL OR o.ended_at >= %(since)s)
            ORDER BY o.first_at DESC
            LIMIT %(limit)s
            """,
            {
                "sessions": None if session_ids is None else list(session_ids),
                "since": since,
                "until": until,
                "limit": limit,
            },
        ).fetchall()
    return [Outage(*row) for row in reversed(found)]  # pyright: ignore[reportArgumentType] - the columns are the fields
