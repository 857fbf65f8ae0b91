"""Records outages: periods in which checks found a session disconnected from WhatsApp."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from store.feed import changes
from store.feed.changes import Change
from store.history.sessions import session_phones, sessions
from store.postgres import errors
from store.postgres.connections import Connection

OutageKind: TypeAlias = Literal["disconnected", "unreachable"]
"""The gateway reported that the session is disconnected, or the gateway did not answer."""


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """The result of one check of a session. Times are in ms."""

    checked_at: int
    outage_kind: OutageKind | None
    """None if the session is connected."""
    reason: str = ""
    last_connected_at: int | None = None
    """The time of the session's last connect, if the gateway reports it and its clock is credible."""
    phone: str | None = None
    """The session's own phone number as digits."""
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage of a session. Times are in ms."""

    session_id: str
    kind: OutageKind
    connected_at: int | None
    """The last time at which the session was known to be connected. The outage began after it."""
    first_at: int
    """The time of the first check that found the session disconnected."""
    last_at: int
    ended_at: int | None
    """The time of the reconnect, as reported by the gateway or of the first check that saw it. None if it has not
    happened.
    """
    looks: int
    """The number of checks that found the session disconnected."""
    reason: str


def claim_check(connection: Connection, session_id: str, seconds: float) -> bool:
    """Return True if the caller should check the session now. After that, every call returns False for `seconds`."""
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
    """Keep all processes from checking the session for this many seconds."""
    with errors.translated():
        connection.execute(
            "UPDATE session_checks SET next_check_at = now() + make_interval(secs => %s) WHERE session_id = %s",
            [seconds, session_id],
        )


def record_check(connection: Connection, session_id: str, check: ConnectionCheck) -> int:
    """Record a check. Return the number of consecutive checks that found the session disconnected.

    An outage ends if the gateway reports a connect after the last check that found the session disconnected. The
    session may be disconnected again by now, which is a new outage.
    """
    values = {
        "session_id": session_id,
        "at": check.checked_at,
        "kind": check.outage_kind,
        "reason": check.reason,
        "reconnected_at": check.last_connected_at,
    }
    with errors.translated(), connection.transaction():
        sessions.ensure(connection, {session_id})
        connected_at, is_changed = _record_status(connection, session_id, check)
        same = connection.execute(
            """
            UPDATE outages
            SET last_at = greatest(last_at, %(at)s), looks = looks + 1, reason = %(reason)s
            WHERE session_id = %(session_id)s AND ended_at IS NULL AND kind = %(kind)s
                AND (%(reconnected_at)s::bigint IS NULL OR %(reconnected_at)s <= last_at)
            RETURNING looks
            """,
            values,
        ).fetchone()
        ended = None
        if same is None:
            ended = connection.execute(
                """
                UPDATE outages
                SET ended_at = CASE
                    WHEN %(reconnected_at)s::bigint > last_at THEN %(reconnected_at)s
                    ELSE greatest(last_at, %(at)s)
                END
                WHERE session_id = %(session_id)s AND ended_at IS NULL
                RETURNING looks
                """,
                values,
            ).fetchone()
            if check.outage_kind is not None:
                connection.execute(
                    """
                    INSERT INTO outages (session_id, kind, connected_at, first_at, last_at, reason)
                    VALUES (%(session_id)s, %(kind)s, %(connected_at)s, %(at)s, %(at)s, %(reason)s)
                    """,
                    {**values, "connected_at": connected_at},
                )
            is_changed |= check.outage_kind is not None or ended is not None
        if is_changed:
            changes.publish(connection, [Change("session", session_id)])
    if same is not None:
        return cast("int", same[0])
    if check.outage_kind is None:
        return 0
    return 1 + (0 if ended is None else cast("int", ended[0]))


def _record_status(connection: Connection, session_id: str, check: ConnectionCheck) -> tuple[int | None, bool]:
    """Record the gateway's report.

    Return the last time at which the session was connected, and whether its state or phone changed.

    A gateway that did not answer has reported nothing.
    """
    is_answered = check.outage_kind != "unreachable"
    is_connected = check.outage_kind is None
    row = connection.execute(
        """
        WITH before AS (
            SELECT w.is_connected, w.phone, w.name
            FROM session_checks AS w
            WHERE w.session_id = %(session_id)s
        ),
        recorded AS (
            INSERT INTO session_checks AS w (
                session_id, next_check_at, connected_at, checked_at, is_connected, last_connected_at, phone, phone_at,
                name
            )
            VALUES (
                %(session_id)s, now(), %(connected_at)s, %(checked_at)s, %(is_connected)s, %(last_connected_at)s,
                %(phone)s, %(phone_at)s, %(name)s
            )
            ON CONFLICT (session_id) DO UPDATE
            SET connected_at = greatest(w.connected_at, excluded.connected_at),
                checked_at = coalesce(excluded.checked_at, w.checked_at),
                is_connected = coalesce(excluded.is_connected, w.is_connected),
                last_connected_at = greatest(w.last_connected_at, excluded.last_connected_at),
                phone = coalesce(excluded.phone, w.phone),
                phone_at = coalesce(excluded.phone_at, w.phone_at),
                name = coalesce(excluded.name, w.name)
            RETURNING w.connected_at, w.is_connected, w.phone, w.name
        )
        SELECT r.connected_at, (r.is_connected, r.phone, r.name) IS DISTINCT FROM (b.is_connected, b.phone, b.name)
        FROM recorded AS r
        LEFT JOIN before AS b ON true
        """,
        {
            "session_id": session_id,
            "connected_at": check.checked_at if is_connected else check.last_connected_at,
            "checked_at": check.checked_at if is_answered else None,
            "is_connected": is_connected if is_answered else None,
            "last_connected_at": check.last_connected_at,
            "phone": check.phone,
            "phone_at": None if check.phone is None else check.checked_at,
            "name": check.name,
        },
    ).fetchone()
    assert row is not None, "an upsert returns its row"
    connected_at, is_changed = cast("tuple[int | None, bool]", row)
    if is_changed:
        connection.execute("UPDATE sessions SET rev = rev + 1 WHERE session_id = %s", [session_id])
    if is_changed and check.phone is not None:
        session_phones.record(connection, [(session_id, check.phone)])
    return connected_at, is_changed


def between(connection: Connection, session_ids: Collection[str] | None, since: int, until: int) -> list[Outage]:
    """Return the newest 100 outages of these sessions (None for all) that overlap a period in ms, oldest first."""
    with errors.translated():
        found = connection.execute(
            """
            SELECT o.session_id, o.kind, o.connected_at, o.first_at, o.last_at, o.ended_at, o.looks, o.reason
            FROM outages AS o
            WHERE (%(sessions)s::text[] IS NULL OR o.session_id = ANY(%(sessions)s))
                AND coalesce(o.connected_at, o.first_at) <= %(until)s
                AND (o.ended_at IS NULL OR o.ended_at >= %(since)s)
            ORDER BY o.first_at DESC
            LIMIT 100
            """,
            {"sessions": None if session_ids is None else list(session_ids), "since": since, "until": until},
        ).fetchall()
    return [Outage(*row) for row in reversed(found)]  # pyright: ignore[reportArgumentType] - the columns are the fields
