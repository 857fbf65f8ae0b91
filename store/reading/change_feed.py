"""The change feed's reading end: gap-free, in the order (xid, change_id), each change with the state it led to.

Transactions commit in another order than they number their rows. Whoever read up to the greatest number would miss
what a slower transaction commits below it; so readers stop at the oldest transaction that still runs.
"""

from dataclasses import dataclass
from typing import LiteralString, cast

from store.postgres.connections import Connection
from store.reading.json_views import CHAT_JSON, MESSAGE_JSON, SEND_JSON


@dataclass(frozen=True, slots=True, order=True)
class FeedPosition:
    """Where a reader is: everything up to here was delivered."""

    xid: int
    change_id: int


_END = FeedPosition(2**63 - 1, 2**63 - 1)


@dataclass(frozen=True, slots=True)
class FeedEntry:
    position: FeedPosition
    session_id: str | None
    json: str
    """JSON: kind, session_id, address, rev, message, chat, session, changed_at."""


@dataclass(frozen=True, slots=True)
class FeedPage:
    epoch: str
    entries: tuple[FeedEntry, ...]
    next_position: FeedPosition
    """Where the next delivery goes on, also if this one is empty."""
    newest_position: FeedPosition
    """The last change that can have been delivered to anybody.

    A change that was seen is on disk. The horizon beyond it may not be: PostgreSQL forgets the numbers of transactions
    that were rolled back just before it crashed, and gives them out again.
    """
    has_more: bool
    """Whether the next delivery has something for sure."""
    has_held_back: bool
    """Whether something is written already that an older, running transaction keeps back."""
    is_pruned: bool
    """Whether changes after the reader's place are gone."""


# S608: assembled from literals only, which the type proves.
_READ_QUERY: LiteralString = f"""
WITH about AS MATERIALIZED (
    SELECT e.epoch::text, h.xid AS horizon, (f.xid, f.change_id) > (%(xid)s::xid8, %(change_id)s::bigint) AS pruned,
        EXISTS (SELECT FROM changes AS c WHERE c.xid >= h.xid) AS hidden,
        coalesce(newest.xid, f.xid)::text::bigint AS newest_xid,
        coalesce(newest.change_id, f.change_id) AS newest_change_id
    FROM feed_epoch AS e, feed_floor AS f, (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xid) AS h
    LEFT JOIN LATERAL (
        SELECT c.xid, c.change_id
        FROM changes AS c
        WHERE c.xid < h.xid
        ORDER BY c.xid DESC, c.change_id DESC
        LIMIT 1
    ) AS newest ON true
)
SELECT about.epoch, about.newest_xid, about.newest_change_id, about.pruned, about.hidden,
    told.xid::text::bigint, told.change_id, told.session_id, told.text
FROM about
LEFT JOIN LATERAL (
    SELECT f.xid, f.change_id, f.session_id, (
            SELECT row_to_json(shown)::text
            FROM (
                SELECT f.kind, f.session_id, canonical.address,
                    coalesce(m.rev, sent.rev, CASE f.kind WHEN 'session' THEN s.rev ELSE canonical.rev END) AS rev,
                    CASE WHEN m.id IS NOT NULL THEN {MESSAGE_JSON}::json ELSE sent.text::json END AS message,
                    (
                        SELECT {CHAT_JSON}::json
                        FROM chats AS c
                        LEFT JOIN whatsapp_messages AS m ON m.id = c.last_id
                        WHERE c.chat_id = canonical.chat_id AND c.last_timestamp IS NOT NULL
                    ) AS chat,
                    CASE WHEN f.kind = 'session' THEN
                        json_build_object('session_id', s.session_id, 'state', s.state, 'phone', s.phone, 'rev', s.rev)
                    END AS session,
                    to_char(f.changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS changed_at
            ) AS shown
        ) AS text
    FROM (
        SELECT c.xid, c.change_id, c.kind, c.session_id, c.chat_id, c.message, c.send_id, c.changed_at
        FROM changes AS c
        WHERE (c.xid, c.change_id) > (%(xid)s::xid8, %(change_id)s::bigint) AND c.xid < about.horizon
            AND (%(sessions)s::text[] IS NULL OR c.session_id = ANY(%(sessions)s))
        ORDER BY c.xid, c.change_id
        LIMIT %(limit)s
    ) AS f
    -- LIMIT 1 on what is one row anyway: one look into an index per change, however large the planner thinks a page is.
    LEFT JOIN LATERAL (
        SELECT canonical.chat_id, canonical.address, canonical.rev
        FROM chats AS place
        JOIN chats AS canonical ON canonical.chat_id = place.canonical_chat_id
        WHERE place.chat_id = f.chat_id
        LIMIT 1
    ) AS canonical ON true
    LEFT JOIN LATERAL (
        SELECT x.key_id, x.direction, x.is_duplicate, x.id
        FROM whatsapp_messages AS x
        WHERE x.id = coalesce(f.message, CASE WHEN f.send_id IS NOT NULL THEN (
                SELECT became.id
                FROM sends AS s
                JOIN whatsapp_messages AS became ON became.key_id = s.key_id AND became.direction = 'outgoing'
                WHERE s.send_id = f.send_id
                ORDER BY became.is_duplicate
                LIMIT 1
            ) END)
        LIMIT 1
    ) AS told ON true
    -- Of a message that came under two addresses of one chat, the copy that is shown.
    LEFT JOIN LATERAL (
        SELECT x.id
        FROM whatsapp_messages AS x
        JOIN chats AS at ON at.chat_id = x.chat_id
        WHERE told.is_duplicate AND x.key_id = told.key_id AND x.direction = told.direction AND NOT x.is_duplicate
            AND at.canonical_chat_id = canonical.chat_id
        LIMIT 1
    ) AS instead ON true
    LEFT JOIN LATERAL (
        -- All columns: what is shown of a message is not this query's business.
        SELECT x.* FROM whatsapp_messages AS x WHERE x.id = coalesce(instead.id, told.id) LIMIT 1
    ) AS m ON true
    -- A send that is no message (yet).
    LEFT JOIN LATERAL (
        SELECT s.rev, {SEND_JSON} AS text FROM sends AS s WHERE s.send_id = f.send_id AND m.id IS NULL LIMIT 1
    ) AS sent ON true
    LEFT JOIN sessions AS s ON s.session_id = f.session_id
) AS told ON true
ORDER BY told.xid, told.change_id
"""  # noqa: S608


def current_position(connection: Connection) -> tuple[str, FeedPosition]:
    """The epoch, and the place after everything that can have been delivered."""
    delivery = read(connection, _END, 0)
    return delivery.epoch, delivery.newest_position


def read(connection: Connection, after: FeedPosition, limit: int, sessions: tuple[str, ...] | None = None) -> FeedPage:
    """The next changes of these sessions (None: of all) after a place."""
    rows = connection.execute(
        _READ_QUERY,
        {
            "xid": str(after.xid),
            "change_id": after.change_id,
            "sessions": None if sessions is None else list(sessions),
            "limit": limit + 1,
            "versions": False,
        },
    ).fetchall()
    epoch, newest_xid, newest_change_id, pruned, hidden = rows[0][:5]
    newest = FeedPosition(cast("int", newest_xid), cast("int", newest_change_id))
    found = [
        FeedEntry(
            FeedPosition(cast("int", xid), cast("int", change_id)), cast("str | None", session_id), cast("str", text)
        )
        for *_, xid, change_id, session_id, text in rows
        if xid is not None
    ]
    more = len(found) > limit
    changes = tuple(found[:limit])
    return FeedPage(
        cast("str", epoch),
        changes,
        changes[-1].position if more else max(after, newest),
        newest,
        more,
        cast("bool", hidden),
        cast("bool", pruned),
    )
