"""Records the last report of each session and the last receipt of each kind of event."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from store.history.sessions import session_phones
from store.model.facts import SessionReport
from store.model.session_phone import LATEST_PHONE
from store.postgres import errors, json_rows
from store.postgres.connections import Connection

PING_EVENT = "test ping"
"""The event name of the gateway's test event."""


@dataclass(frozen=True, slots=True)
class ObservedReport:
    """A report, with the time and digest by which it is compared with others."""

    session_id: str
    observed_at: int
    digest: bytes
    report: SessionReport


def ensure(connection: Connection, session_ids: Iterable[str]) -> dict[str, int]:
    """Return the session_number of each session, inserting missing sessions."""
    wanted = sorted(set(session_ids))
    known = _numbers(connection, wanted)
    if len(known) < len(wanted):
        connection.execute(
            """
            INSERT INTO sessions (session_id)
            SELECT w.session_id FROM unnest(%(wanted)s::text[]) AS w (session_id) ORDER BY w.session_id
            ON CONFLICT (session_id) DO NOTHING
            """,
            {"wanted": [session_id for session_id in wanted if session_id not in known]},
        )
        known = _numbers(connection, wanted)
    return known


def _numbers(connection: Connection, session_ids: list[str]) -> dict[str, int]:
    found = connection.execute(
        "SELECT session_id, session_number FROM sessions WHERE session_id = ANY(%s)", [session_ids]
    ).fetchall()
    return dict(cast("Iterable[tuple[str, int]]", found))


def own_phones(connection: Connection, session_ids: Iterable[str]) -> dict[str, str]:
    """Return the phone that each session last reported as its own, if any, in an event or in the gateway's status."""
    found = connection.execute(
        f"""
        SELECT s.session_id, latest.phone
        FROM sessions AS s
        LEFT JOIN session_checks AS w USING (session_id)
        CROSS JOIN LATERAL (
            SELECT {LATEST_PHONE} AS phone
        ) AS latest
        WHERE s.session_id = ANY(%s) AND latest.phone IS NOT NULL
        """,
        [list(session_ids)],
    )
    return dict(cast("Iterable[tuple[str, str]]", found))


def record_last_seen(connection: Connection, last_seen: Mapping[tuple[str, str], int]) -> None:
    """Record the last receipt in ms of each (session_id, event)."""
    connection.execute(
        """
        INSERT INTO session_events AS e (session_number, event, last_at)
        SELECT s.session_number, r.event, r.last_at
        FROM json_to_recordset(%(rows)s::json) AS r (session_id text, event text, last_at bigint)
        JOIN sessions AS s USING (session_id)
        ORDER BY s.session_number, r.event
        ON CONFLICT (session_number, event) DO UPDATE SET last_at = excluded.last_at WHERE excluded.last_at > e.last_at
        """,
        {
            "rows": json_rows.encode(
                {"session_id": session_id, "event": event, "last_at": at}
                for (session_id, event), at in last_seen.items()
            )
        },
    )


def apply_reports(connection: Connection, reports: Iterable[ObservedReport]) -> set[str]:
    """Apply the newest report of each session, for state and phone separately. Return the sessions that changed."""
    changed: set[str] = set()
    ordered = sorted(reports, key=lambda observed: (observed.session_id, observed.observed_at, observed.digest))
    # Some senders report the phone with every event. Only the last report counts.
    last_states = {observed.session_id: observed for observed in ordered if observed.report.state is not None}
    last_phones = {observed.session_id: observed for observed in ordered if observed.report.phone is not None}
    for session_id in sorted(last_states.keys() | last_phones.keys()):
        if (observed := last_states.get(session_id)) is not None:
            state = connection.execute(
                """
                UPDATE sessions
                SET state = %(state)s, state_at = %(at)s, state_digest = %(digest)s, rev = rev + 1
                WHERE session_id = %(session_id)s
                    AND (state_at IS NULL OR (state_at, state_digest) < (%(at)s, %(digest)s))
                """,
                {**_values(observed), "state": observed.report.state},
            )
            changed |= {session_id} if state.rowcount else set()
        if (observed := last_phones.get(session_id)) is not None:
            phone = connection.execute(
                """
                WITH before AS (SELECT b.session_id, b.phone FROM sessions AS b WHERE b.session_id = %(session_id)s)
                UPDATE sessions AS s
                SET phone = %(phone)s, phone_at = %(at)s, phone_digest = %(digest)s,
                    rev = s.rev + (before.phone IS DISTINCT FROM %(phone)s)::integer
                FROM before
                WHERE s.session_id = before.session_id
                    AND (s.phone_at IS NULL OR (s.phone_at, s.phone_digest) < (%(at)s, %(digest)s))
                RETURNING before.phone IS DISTINCT FROM %(phone)s
                """,
                {**_values(observed), "phone": observed.report.phone},
            ).fetchone()
            changed |= {session_id} if phone == (True,) else set()
    if last_phones:
        session_phones.record(connection, ((o.session_id, o.report.phone) for o in ordered if o.report.phone))
    return changed


def _values(observed: ObservedReport) -> dict[str, object]:
    return {"session_id": observed.session_id, "at": observed.observed_at, "digest": observed.digest}


def last_activity(connection: Connection, limit: int) -> dict[str, int]:
    """Return the last receipt in ms of each session, ignoring test pings, most recently active sessions first."""
    with errors.translated():
        found = connection.execute(
            """
            SELECT s.session_id, max(e.last_at) AS last_at
            FROM session_events AS e
            JOIN sessions AS s USING (session_number)
            WHERE e.event <> %(ping)s
            GROUP BY s.session_id
            ORDER BY last_at DESC
            LIMIT %(at_most)s
            """,
            {"ping": PING_EVENT, "at_most": limit},
        ).fetchall()
    return dict(cast("Iterable[tuple[str, int]]", found))


def last_pings(connection: Connection) -> dict[str, int]:
    """Return the receipt of each session's last test ping in ms."""
    with errors.translated():
        found = connection.execute(
            "SELECT s.session_id, e.last_at FROM session_events AS e JOIN sessions AS s USING (session_number)"
            " WHERE e.event = %s",
            [PING_EVENT],
        ).fetchall()
    return dict(cast("Iterable[tuple[str, int]]", found))
