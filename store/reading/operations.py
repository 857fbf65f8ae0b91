"""What an operator looks at: sessions, and what nobody understood."""

from typing import cast

from store.postgres.connections import Connection

WEBHOOK_EVENTS = ("message.received", "message.sent", "status.change")
"""What the gateway's guide lets a webhook subscribe to: what of it never came, was perhaps never sent."""


def sessions(connection: Connection, visible_sessions: tuple[str, ...] | None) -> str:
    """JSON: every session, with what it last said of itself and when each kind of event last came."""
    row = connection.execute(
        """
        SELECT coalesce(json_agg(row_to_json(shown) ORDER BY shown.session_id), '[]')::text
        FROM (
            SELECT s.session_id, s.state, s.phone,
                to_char(to_timestamp(s.state_at / 1000.0) AT TIME ZONE 'UTC', %(iso)s) AS state_at,
                to_char(to_timestamp(seen.last_at / 1000.0) AT TIME ZONE 'UTC', %(iso)s) AS last_event_at,
                to_char(to_timestamp(seen.ping_at / 1000.0) AT TIME ZONE 'UTC', %(iso)s) AS last_ping_at,
                coalesce(seen.events, '{}') AS events,
                (
                    SELECT coalesce(json_agg(k.event ORDER BY k.event), '[]')
                    FROM unnest(%(known)s::text[]) AS k (event)
                    WHERE NOT EXISTS (
                        SELECT FROM session_events AS e WHERE e.session_number = s.session_number AND e.event = k.event
                    )
                ) AS never_seen,
                (
                    SELECT coalesce(json_agg(row_to_json(away) ORDER BY away.first_at DESC), '[]')
                    FROM (
                        SELECT o.kind, o.reason, o.looks,
                            to_char(to_timestamp(o.connected_at / 1000.0) AT TIME ZONE 'UTC', %(iso)s) AS connected_at,
                            to_char(to_timestamp(o.first_at / 1000.0) AT TIME ZONE 'UTC', %(iso)s) AS first_at,
                            to_char(to_timestamp(o.last_at / 1000.0) AT TIME ZONE 'UTC', %(iso)s) AS last_at,
                            to_char(to_timestamp(o.ended_at / 1000.0) AT TIME ZONE 'UTC', %(iso)s) AS ended_at
                        FROM outages AS o
                        WHERE o.session_id = s.session_id
                        ORDER BY o.first_at DESC
                        LIMIT 20
                    ) AS away
                ) AS outages,
                s.rev
            FROM sessions AS s
            LEFT JOIN LATERAL (
                SELECT max(e.last_at) FILTER (WHERE e.event <> 'test ping') AS last_at,
                    max(e.last_at) FILTER (WHERE e.event = 'test ping') AS ping_at,
                    json_object_agg(
                        e.event, to_char(to_timestamp(e.last_at / 1000.0) AT TIME ZONE 'UTC', %(iso)s) ORDER BY e.event
                    ) AS events
                FROM session_events AS e
                WHERE e.session_number = s.session_number
            ) AS seen ON true
            WHERE %(sessions)s::text[] IS NULL OR s.session_id = ANY(%(sessions)s)
        ) AS shown
        """,
        {
            "iso": 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"',
            "known": list(WEBHOOK_EVENTS),
            "sessions": None if visible_sessions is None else list(visible_sessions),
        },
    ).fetchone()
    assert row is not None, "an aggregate has a row"
    return cast("str", row[0])


def parked_events(
    connection: Connection, visible_sessions: tuple[str, ...] | None, before: tuple[int, str] | None, limit: int
) -> tuple[list[str], tuple[int, str] | None]:
    """What nobody understood, newest first, as JSON texts; and where the list goes on."""
    received_at, digest = before or (2**63 - 1, "ff" * 33)
    rows = connection.execute(
        """
        SELECT p.received_at, encode(p.digest, 'hex'), (
                SELECT row_to_json(shown)::text
                FROM (
                    SELECT encode(p.digest, 'hex') AS digest, p.reason, p.session_id, p.event,
                        to_char(to_timestamp(p.received_at / 1000.0) AT TIME ZONE 'UTC', %(iso)s) AS received_at,
                        to_char(p.parked_at AT TIME ZONE 'UTC', %(iso)s) AS parked_at,
                        octet_length(e.body) AS size,
                        -- Bytes that are no text are shown as PostgreSQL escapes them.
                        encode(substr(e.body, 1, 2000), 'escape') AS body
                ) AS shown
            )
        FROM parked_events AS p
        LEFT JOIN raw_events AS e ON e.event_id = p.event_id
        WHERE (p.received_at, p.digest) < (%(received_at)s, decode(%(digest)s, 'hex'))
            AND (%(sessions)s::text[] IS NULL OR p.session_id = ANY(%(sessions)s))
        ORDER BY p.received_at DESC, p.digest DESC
        LIMIT %(limit)s
        """,
        {
            "iso": 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"',
            "received_at": received_at,
            "digest": digest,
            "sessions": None if visible_sessions is None else list(visible_sessions),
            "limit": limit + 1,
        },
    ).fetchall()
    page = rows[:limit]
    last = (cast("int", page[-1][0]), cast("str", page[-1][1])) if len(rows) > limit else None
    return [cast("str", row[2]) for row in page], last
