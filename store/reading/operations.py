"""Lists sessions, parked events and noise for operators."""

from typing import LiteralString, cast

from store.ledger import set_aside_events
from store.ledger.set_aside_events import SetAsideKind
from store.model.session_phone import LATEST_PHONE
from store.postgres.connections import Connection
from store.reading import session_names
from store.reading.fragments.json_views import MAX_BIGINT, iso_ms, iso_time

WEBHOOK_EVENTS = ("message.received", "message.sent", "status.change")
"""The events that a webhook can subscribe to, according to the gateway's guide."""
MAX_EVENT_TYPES = 100
"""The number of types of event that are listed for a session: those that came last."""


_CONTRADICTIONS: LiteralString = """
    SELECT w.session_id, w.phone, array_agg(w.lid ORDER BY w.lid) AS lids
    FROM (
        SELECT DISTINCT ON (a.session_id, a.lid) a.session_id, a.lid, a.phone
        FROM lid_aliases AS a
        WHERE a.lid LIKE '%%@lid'
        ORDER BY a.session_id, a.lid, a.observed_at DESC, a.digest DESC, a.phone
    ) AS w
    GROUP BY w.session_id, w.phone
    HAVING count(*) > 1
"""
"""Phones that several LIDs claim by their newest evidence. None of these LIDs is merged
(store/history/chats/lid_aliases.py).
"""


def sessions(connection: Connection, visible_sessions: tuple[str, ...] | None) -> str:
    """Return all sessions as JSON, each with its newest state, its outages and the last time of each type of event.

    State and phone are taken from the newest report, either an event or the status that the gateway gave at a check.
    """
    row = connection.execute(
        f"""
        WITH contradictions AS MATERIALIZED ({_CONTRADICTIONS})
        SELECT coalesce(json_agg(row_to_json(view) ORDER BY view.session_id), '[]')::text
        FROM (
            SELECT s.session_id, s.session_number AS number, named.name AS display_name, named.colour, newest.state,
                newest.phone, {iso_ms("newest.state_at")} AS state_at, w.name,
                {iso_ms("w.last_connected_at")} AS last_connected_at,
                {iso_ms("latest.last_at")} AS last_event_at, {iso_ms("latest.ping_at")} AS last_ping_at,
                coalesce(latest.events, '{{}}') AS events,
                (
                    SELECT coalesce(json_agg(k.event ORDER BY k.event), '[]')
                    FROM unnest(%(known)s::text[]) AS k (event)
                    WHERE NOT EXISTS (
                        SELECT FROM session_events AS e WHERE e.session_number = s.session_number AND e.event = k.event
                    )
                ) AS never_seen,
                (
                    SELECT coalesce(json_agg(row_to_json(outage) ORDER BY outage.first_at DESC), '[]')
                    FROM (
                        SELECT o.kind, o.reason, o.looks, {iso_ms("o.connected_at")} AS connected_at,
                            {iso_ms("o.first_at")} AS first_at, {iso_ms("o.last_at")} AS last_at,
                            {iso_ms("o.ended_at")} AS ended_at
                        FROM outages AS o
                        WHERE o.session_id = s.session_id
                        ORDER BY o.first_at DESC
                        LIMIT 20
                    ) AS outage
                ) AS outages,
                (
                    SELECT coalesce(
                        json_agg(json_build_object('phone', x.phone, 'lids', x.lids) ORDER BY x.phone), '[]'
                    )
                    FROM contradictions AS x
                    WHERE x.session_id = s.session_id
                ) AS contradictions,
                a.account,
                (
                    SELECT coalesce(json_agg(o.session_id ORDER BY o.session_number), '[]')
                    FROM account_sessions AS b
                    JOIN sessions AS o USING (session_number)
                    WHERE b.primary_number = a.primary_number
                ) AS account_sessions,
                CASE WHEN a.account IS NOT NULL THEN (
                    SELECT json_build_object('messages', count(*), 'last_at', {iso_ms("max(m.timestamp)")})
                    FROM account_sessions AS b
                    JOIN sessions AS o USING (session_number)
                    JOIN whatsapp_messages AS m ON m.session_id = o.session_id
                    WHERE b.primary_number = a.primary_number AND m.direction = 'incoming' AND NOT m.is_duplicate
                        AND m.timestamp >= greatest(a.first_at, extract(epoch FROM now())::bigint * 1000 - 86400000)
                        AND m.created_at < now() - interval '1 minute'
                        AND NOT EXISTS (
                            SELECT
                            FROM whatsapp_messages AS own
                            WHERE own.key_id = m.key_id AND own.direction = m.direction
                                AND own.session_id = s.session_id
                        )
                ) END AS missed,
                s.rev
            FROM sessions AS s
            LEFT JOIN account_sessions AS a USING (session_number)
            LEFT JOIN LATERAL ({session_names.NAMED}) AS named ON true
            LEFT JOIN session_checks AS w USING (session_id)
            CROSS JOIN LATERAL (
                SELECT
                    CASE
                        WHEN w.checked_at > coalesce(s.state_at, 0) AND w.is_connected THEN 'connected'
                        WHEN w.checked_at > coalesce(s.state_at, 0) THEN 'disconnected'
                        ELSE s.state
                    END AS state,
                    greatest(w.checked_at, s.state_at) AS state_at,
                    {LATEST_PHONE} AS phone
            ) AS newest
            LEFT JOIN LATERAL (
                SELECT max(e.last_at) FILTER (WHERE e.event <> 'test ping') AS last_at,
                    max(e.last_at) FILTER (WHERE e.event = 'test ping') AS ping_at,
                    json_object_agg(e.event, {iso_ms("e.last_at")} ORDER BY e.event) AS events
                FROM (
                    -- A gateway may invent any number of types.
                    SELECT e.event, e.last_at
                    FROM session_events AS e
                    WHERE e.session_number = s.session_number
                    ORDER BY e.last_at DESC
                    LIMIT %(types)s
                ) AS e
            ) AS latest ON true
            WHERE %(sessions)s::text[] IS NULL OR s.session_id = ANY(%(sessions)s)
        ) AS view
        """,
        {
            "known": list(WEBHOOK_EVENTS),
            "sessions": None if visible_sessions is None else list(visible_sessions),
            "types": MAX_EVENT_TYPES,
        },
    ).fetchone()
    assert row is not None, "an aggregate has a row"
    return cast("str", row[0])


def count_contradictions(connection: Connection) -> int:
    """Return the number of phones that several LIDs of one session claim."""
    query: LiteralString = f"SELECT count(*) FROM ({_CONTRADICTIONS}) AS contradictions"
    row = connection.execute(query, {}).fetchone()
    assert row is not None, "an aggregate has a row"
    return cast("int", row[0])


def parked_events(
    connection: Connection,
    visible_sessions: tuple[str, ...] | None,
    before: tuple[int, str] | None,
    limit: int,
    kind: SetAsideKind = "parked",
) -> tuple[list[str], tuple[int, str] | None]:
    """Return a page of parked events or noise as JSON texts, newest first, and the position of the next page."""
    set_aside_at: LiteralString = "p.parked_at" if kind == "parked" else "p.recorded_at"
    received_at, digest = before or (MAX_BIGINT, "ff" * 33)
    sessions_array = None if visible_sessions is None else list(visible_sessions)
    rows = connection.execute(
        f"""
        SELECT p.received_at, encode(p.digest, 'hex'), (
                SELECT row_to_json(view)::text
                FROM (
                    SELECT encode(p.digest, 'hex') AS digest, p.reason, p.session_id, p.event,
                        {iso_ms("p.received_at")} AS received_at, {iso_time(set_aside_at)} AS parked_at,
                        octet_length(e.body) AS size,
                        -- Escaped because a body may contain bytes that are not text.
                        encode(substr(e.body, 1, 2000), 'escape') AS body
                ) AS view
            )
        FROM {set_aside_events.TABLES[kind]} AS p
        LEFT JOIN raw_events AS e ON e.event_id = p.event_id
        WHERE (p.received_at, p.digest) < (%(received_at)s, decode(%(digest)s, 'hex'))
            AND (%(sessions)s::text[] IS NULL OR p.session_id = ANY(%(sessions)s))
        ORDER BY p.received_at DESC, p.digest DESC
        LIMIT %(limit)s
        """,
        {"received_at": received_at, "digest": digest, "sessions": sessions_array, "limit": limit + 1},
    ).fetchall()
    page = cast("list[tuple[int, str, str]]", rows[:limit])
    return [view for _, _, view in page], page[-1][:2] if len(rows) > limit else None


def set_aside_reasons(connection: Connection, visible_sessions: tuple[str, ...] | None) -> str:
    """Return the number of parked events and of noise by reason as JSON, the most frequent first."""
    row = connection.execute(
        f"""
        SELECT coalesce(json_agg(row_to_json(counted) ORDER BY counted.count DESC, counted.reason), '[]')::text
        FROM (
            SELECT p.kind, p.reason, count(*) AS count
            FROM {set_aside_events.BOTH_TABLES} AS p
            WHERE %(sessions)s::text[] IS NULL OR p.session_id = ANY(%(sessions)s)
            GROUP BY p.kind, p.reason
        ) AS counted
        """,
        {"sessions": None if visible_sessions is None else list(visible_sessions)},
    ).fetchone()
    assert row is not None, "an aggregate has a row"
    return cast("str", row[0])
