"""Reads the change feed without gaps, in the order (xid, change_id), and adds the current state to each change.

Transactions do not commit in the order in which their changes are numbered. A reader that remembered only the greatest
number would miss changes that a slower transaction commits below it. Each page therefore ends before the oldest running
transaction.
"""

from dataclasses import asdict, dataclass
from typing import LiteralString, cast

from store.postgres.compiled_query import compile_query
from store.postgres.connections import Connection
from store.reading.fragments.json_views import CHAT_JSON, MAX_BIGINT, MAX_PAGE_BYTES, iso_time
from store.reading.fragments.message_json import MESSAGE_BYTES, MESSAGE_JSON, SEND_JSON


@dataclass(frozen=True, slots=True, order=True)
class FeedPosition:
    """A position in the feed: all changes up to it were delivered."""

    xid: int
    change_id: int


_END = FeedPosition(MAX_BIGINT, MAX_BIGINT)


@dataclass(frozen=True, slots=True)
class FeedEntry:
    position: FeedPosition
    session_id: str | None
    json: str
    """A JSON object: kind, session_id, address, rev, message, chat, session, changed_at."""


@dataclass(frozen=True, slots=True)
class FeedPage:
    epoch: str
    entries: tuple[FeedEntry, ...]
    next_position: FeedPosition
    """The position at which the next page starts, even if this page is empty."""
    newest_position: FeedPosition
    """The last change that any reader can have read.

    It is not the horizon of running transactions: after a crash, PostgreSQL may reuse the ids of transactions that were
    rolled back shortly before. A change that was read is on disk.
    """
    has_more: bool
    """True if the next page certainly contains changes."""
    has_held_back: bool
    """True if changes are already written, but held back because an older transaction is still running."""
    is_pruned: bool
    """True if changes after the requested position were pruned."""


_READ_QUERY: LiteralString = f"""
WITH feed AS MATERIALIZED (
    SELECT e.epoch::text, h.xid AS horizon, (f.xid, f.change_id) > (%(xid)s::xid8, %(change_id)s::bigint) AS pruned,
        EXISTS (SELECT FROM changes AS c WHERE c.xid >= h.xid) AS held_back,
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
SELECT feed.epoch, feed.newest_xid, feed.newest_change_id, feed.pruned, feed.held_back,
    entry.candidates, entry.xid::text::bigint, entry.change_id, entry.session_id, entry.json
FROM feed
LEFT JOIN LATERAL (
    SELECT f.candidates, f.xid, f.change_id, f.session_id, (
            SELECT row_to_json(view)::text
            FROM (
                SELECT f.kind, f.session_id, canonical.address,
                    coalesce(m.rev, sent.rev, CASE f.kind WHEN 'session' THEN s.rev ELSE canonical.rev END) AS rev,
                    CASE WHEN m.id IS NOT NULL THEN {MESSAGE_JSON}::json ELSE sent.json::json END AS message,
                    (
                        SELECT {CHAT_JSON}::json
                        FROM chats AS c
                        LEFT JOIN whatsapp_messages AS m ON m.id = c.last_id
                        WHERE c.chat_id = canonical.chat_id AND c.last_timestamp IS NOT NULL
                    ) AS chat,
                    CASE WHEN f.kind = 'session' THEN
                        json_build_object('session_id', s.session_id, 'state', s.state, 'phone', s.phone, 'rev', s.rev)
                    END AS session,
                    {iso_time("f.changed_at")} AS changed_at
            ) AS view
        ) AS json
    FROM (
        SELECT c.*, count(*) OVER () AS candidates,
            sum(m.bytes) OVER (ORDER BY c.xid, c.change_id ROWS UNBOUNDED PRECEDING) - m.bytes AS bytes_before
        FROM (
            SELECT c.xid, c.change_id, c.kind, c.session_id, c.chat_id, c.message, c.send_id, c.changed_at
            FROM changes AS c
            WHERE (c.xid, c.change_id) > (%(xid)s::xid8, %(change_id)s::bigint) AND c.xid < feed.horizon
                AND (%(sessions)s::text[] IS NULL OR c.session_id = ANY(%(sessions)s))
            ORDER BY c.xid, c.change_id
            LIMIT %(limit)s
        ) AS c
        CROSS JOIN LATERAL (
            SELECT coalesce((SELECT {MESSAGE_BYTES} FROM whatsapp_messages AS m WHERE m.id = c.message), 0) AS bytes
        ) AS m
    ) AS f
    -- LIMIT 1 forces an index lookup per change, even if the planner expects many changes.
    LEFT JOIN LATERAL (
        SELECT canonical.chat_id, canonical.address, canonical.rev
        FROM chats AS c
        JOIN chats AS canonical ON canonical.chat_id = c.canonical_chat_id
        WHERE c.chat_id = f.chat_id
        LIMIT 1
    ) AS canonical ON true
    LEFT JOIN LATERAL (
        SELECT x.key_id, x.direction, x.is_duplicate, x.id
        FROM whatsapp_messages AS x
        WHERE x.id = coalesce(f.message, CASE WHEN f.send_id IS NOT NULL THEN (
                SELECT m.id
                FROM sends AS s
                JOIN whatsapp_messages AS m ON m.key_id = s.key_id AND m.direction = 'outgoing'
                WHERE s.send_id = f.send_id
                ORDER BY m.is_duplicate
                LIMIT 1
            ) END)
        LIMIT 1
    ) AS changed ON true
    -- The visible copy if the message arrived under two addresses of one chat.
    LEFT JOIN LATERAL (
        SELECT x.id
        FROM whatsapp_messages AS x
        JOIN chats AS c ON c.chat_id = x.chat_id
        WHERE changed.is_duplicate AND x.key_id = changed.key_id AND x.direction = changed.direction
            AND NOT x.is_duplicate AND c.canonical_chat_id = canonical.chat_id
        LIMIT 1
    ) AS visible ON true
    LEFT JOIN LATERAL (
        -- All columns, because MESSAGE_JSON decides which are used.
        SELECT x.* FROM whatsapp_messages AS x WHERE x.id = coalesce(visible.id, changed.id) LIMIT 1
    ) AS m ON true
    -- A send without a message.
    LEFT JOIN LATERAL (
        SELECT s.rev, {SEND_JSON} AS json FROM sends AS s WHERE s.send_id = f.send_id AND m.id IS NULL LIMIT 1
    ) AS sent ON true
    LEFT JOIN sessions AS s ON s.session_id = f.session_id
    WHERE f.bytes_before < %(max_bytes)s
) AS entry ON true
ORDER BY entry.xid, entry.change_id
"""


def current_position(connection: Connection) -> tuple[str, FeedPosition]:
    """Return the epoch and the position after the last change that any reader can have read."""
    page = read(connection, _END, 0)
    return page.epoch, page.newest_position


def read(connection: Connection, after: FeedPosition, limit: int, sessions: tuple[str, ...] | None = None) -> FeedPage:
    """Return a page of changes of these sessions (None for all) after a position.

    The page is shorter if its texts are large.
    """
    visible = None if sessions is None else list(sessions)
    rows = compile_query(_READ_QUERY).fetch_all(
        connection,
        {
            **asdict(after),
            "xid": str(after.xid),
            "sessions": visible,
            "limit": limit + 1,
            "max_bytes": MAX_PAGE_BYTES,
            "versions": False,
        },
    )
    epoch, *newest_columns, is_pruned, has_held_back = cast("tuple[str, int, int, bool, bool]", rows[0][:5])
    newest = FeedPosition(*newest_columns)
    candidates = cast("int | None", rows[0][5]) or 0
    changes = cast("list[tuple[int | None, int, str | None, str]]", [row[6:] for row in rows[:limit]])
    entries = [
        FeedEntry(FeedPosition(xid, change_id), session_id, json)
        for xid, change_id, session_id, json in changes
        if xid is not None
    ]
    has_more = candidates > len(entries)
    next_position = entries[-1].position if has_more and entries else max(after, newest)
    return FeedPage(epoch, tuple(entries), next_position, newest, has_more, has_held_back, is_pruned)
