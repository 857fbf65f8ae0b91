"""The messages of a chat, a page at a time, in the order (timestamp, receive_order, message_id, id)."""

from dataclasses import dataclass
from typing import LiteralString, cast
from uuid import UUID

from store.postgres.connections import Connection
from store.reading.chat_scope import MEMBERS_CTE, ChatScope
from store.reading.json_views import MESSAGE_JSON, SEND_JSON

_MAX_BIGINT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class MessagePosition:
    """A place between messages that stays where it is, whatever is written around it."""

    timestamp: int
    receive_order: int
    message_id: str
    id: int


_AFTER_LAST = MessagePosition(_MAX_BIGINT, _MAX_BIGINT, "", _MAX_BIGINT)


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Which messages; the defaults leave out nothing."""

    scope: ChatScope
    limit: int
    direction: str | None = None
    type: str | None = None
    since: int | None = None
    """ms, inclusive"""
    until: int | None = None
    """ms, exclusive"""
    include_versions: bool = False
    """Whether each message tells its texts before edits."""


@dataclass(frozen=True, slots=True)
class ReadSnapshot:
    """Exactly what a page could have shown."""

    epoch: str
    pg_snapshot: str
    """PostgreSQL's pg_snapshot, as text."""


@dataclass(frozen=True, slots=True)
class MessagePage:
    messages: tuple[str, ...]
    """JSON texts, oldest first."""
    older: MessagePosition | None
    """Where older messages go on; None: there are none."""
    newer: MessagePosition | None
    """Where newer messages go on; None: there are none."""
    as_of: ReadSnapshot
    canonical_address: str | None
    """The chat's own address, where it is another one than was asked for; None if nobody knows the chat."""


def _page_query(operator: LiteralString, order_by: LiteralString) -> LiteralString:
    return f"""
        WITH {MEMBERS_CTE}
        SELECT page.timestamp, page.receive_order, page.message_id, page.id, page.shown,
            about.epoch, about.snapshot, about.address
        FROM (
            SELECT e.epoch::text, pg_current_snapshot()::text AS snapshot, (
                    SELECT members.address FROM members ORDER BY members.kind <> 'phone', members.address LIMIT 1
                ) AS address
            FROM feed_epoch AS e
        ) AS about
        LEFT JOIN (
            SELECT found.timestamp, found.receive_order, found.message_id, found.id, found.shown
            FROM members
            CROSS JOIN LATERAL (
                SELECT m.timestamp, m.receive_order, m.message_id, m.id, {MESSAGE_JSON} AS shown
                FROM whatsapp_messages AS m
                CROSS JOIN (SELECT members.canonical_chat_id AS chat_id, members.address) AS canonical
                WHERE m.chat_id = members.chat_id AND NOT m.is_duplicate
                    AND (m.timestamp, m.receive_order, m.message_id, m.id)
                        {operator} (%(timestamp)s, %(receive_order)s, %(message_id)s, %(id)s)
                    AND m.timestamp >= %(since)s AND m.timestamp < %(until)s
                    AND (%(direction)s::text IS NULL OR m.direction = %(direction)s)
                    AND (%(type)s::text IS NULL OR m.message_type = %(type)s)
                ORDER BY {order_by}
                LIMIT %(limit)s
            ) AS found
            -- Sends that are no message are shown where their message would be. There are few, and mostly none.
            UNION ALL
            SELECT found.timestamp, found.receive_order, found.message_id, found.id, found.shown
            FROM members
            CROSS JOIN LATERAL (
                SELECT s.timestamp, s.receive_order, s.sort_key AS message_id, 0::bigint AS id, {SEND_JSON} AS shown
                FROM sends AS s
                WHERE s.chat_id = members.chat_id AND s.key_id IS NULL
                    AND (s.timestamp, s.receive_order, s.sort_key, 0::bigint)
                        {operator} (%(timestamp)s, %(receive_order)s, %(message_id)s, %(id)s)
                    AND s.timestamp >= %(since)s AND s.timestamp < %(until)s
                    AND (%(direction)s::text IS NULL OR %(direction)s = 'outgoing')
                    AND (%(type)s::text IS NULL OR s.kind = %(type)s)
                ORDER BY {order_by}
                LIMIT %(limit)s
            ) AS found
            ORDER BY {order_by}
            LIMIT %(limit)s
        ) AS page ON true
    """  # noqa: S608 - assembled from literals only, which the type proves


_NEWEST_FIRST: LiteralString = "timestamp DESC, receive_order DESC, message_id DESC, id DESC"
_OLDEST_FIRST: LiteralString = "timestamp, receive_order, message_id, id"
_OLDER_QUERY = _page_query("<", _NEWEST_FIRST)
_NEWER_QUERY = _page_query(">", _OLDEST_FIRST)
_FROM_POSITION_QUERY = _page_query(">=", _OLDEST_FIRST)


def newest(connection: Connection, query: MessageQuery) -> MessagePage:
    """The last messages."""
    found = _fetch(connection, _OLDER_QUERY, query, _AFTER_LAST, query.limit)
    rows = found.rows[::-1]
    return found.to_page(rows, _position_of(rows[0]) if found.has_more else None, None)


def older(connection: Connection, query: MessageQuery, before: MessagePosition) -> MessagePage:
    """The last messages before a position."""
    found = _fetch(connection, _OLDER_QUERY, query, before, query.limit)
    rows = found.rows[::-1]
    return found.to_page(
        rows, _position_of(rows[0]) if found.has_more else None, _position_of(rows[-1]) if rows else None
    )


def newer(connection: Connection, query: MessageQuery, after: MessagePosition) -> MessagePage:
    """The first messages after a position."""
    found = _fetch(connection, _NEWER_QUERY, query, after, query.limit)
    rows = found.rows
    return found.to_page(
        rows, _position_of(rows[0]) if rows else None, _position_of(rows[-1]) if found.has_more else None
    )


def around(connection: Connection, query: MessageQuery, position: MessagePosition) -> MessagePage:
    """Half of the limit before a position, the rest from there on."""
    # What the second question sees and the first could not have is not in `as_of`: it stays unread, which is right.
    past = _fetch(connection, _OLDER_QUERY, query, position, query.limit // 2)
    rest = _fetch(connection, _FROM_POSITION_QUERY, query, position, query.limit - query.limit // 2)
    rows = [*past.rows[::-1], *rest.rows]
    return past.to_page(
        rows,
        (_position_of(rows[0]) if rows else position) if past.has_more else None,
        _position_of(rows[-1]) if rest.has_more else None,
    )


def around_message(connection: Connection, wanted: MessageQuery, message_id: str) -> MessagePage | None:
    """The page around a message (or a send, by its own or the gateway's number); None if the chat has none of it."""
    position = locate(connection, wanted.scope, message_id)
    return None if position is None else around(connection, wanted, position)


def locate(connection: Connection, scope: ChatScope, message_id: str) -> MessagePosition | None:
    """Where a message (or a send, by its own or the gateway's number) is: of several with this id, the newest."""
    row = connection.execute(
        f"""
        WITH {MEMBERS_CTE}
        SELECT m.timestamp, m.receive_order, m.message_id, m.id
        FROM members
        JOIN chats AS c ON c.chat_id = members.chat_id
        JOIN sessions AS s ON s.session_id = c.session_id
        JOIN message_keys AS k ON k.session_number = s.session_number AND k.message_id = %(message_id)s
        JOIN whatsapp_messages AS m ON m.key_id = k.key_id AND m.chat_id = c.chat_id AND NOT m.is_duplicate
        UNION ALL
        SELECT s.timestamp, s.receive_order, s.sort_key, 0
        FROM members
        JOIN chats AS c ON c.chat_id = members.chat_id
        JOIN sends AS s ON s.session_id = c.session_id AND s.gateway_id = %(message_id)s AND s.chat_id = c.chat_id
        WHERE s.key_id IS NULL
        UNION ALL
        SELECT s.timestamp, s.receive_order, s.sort_key, 0
        FROM sends AS s
        JOIN members USING (chat_id)
        WHERE s.send_id = %(send_id)s AND s.key_id IS NULL
        ORDER BY timestamp DESC, receive_order DESC, message_id DESC, id DESC
        LIMIT 1
        """,  # noqa: S608 - assembled from literals only
        {**scope.parameters(), "message_id": message_id, "send_id": _parse_uuid(message_id)},
    ).fetchone()
    return None if row is None else _position_of(row)


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _FetchedRows:
    rows: list[tuple[object, ...]]
    has_more: bool
    as_of: ReadSnapshot
    address: str | None

    def to_page(
        self, rows: list[tuple[object, ...]], older: MessagePosition | None, newer: MessagePosition | None
    ) -> MessagePage:
        return MessagePage(tuple(cast("str", row[4]) for row in rows), older, newer, self.as_of, self.address)


def _fetch(
    connection: Connection, sql: LiteralString, query: MessageQuery, position: MessagePosition, limit: int
) -> _FetchedRows:
    """Up to `limit` rows, and whether there are more."""
    rows = connection.execute(
        sql,
        {
            **query.scope.parameters(),
            "timestamp": position.timestamp,
            "receive_order": position.receive_order,
            "message_id": position.message_id,
            "id": position.id,
            "since": 0 if query.since is None else query.since,
            "until": _MAX_BIGINT if query.until is None else query.until,
            "direction": query.direction,
            "type": query.type,
            "versions": query.include_versions,
            "limit": limit + 1,
        },
    ).fetchall()
    epoch, snapshot, address = rows[0][5:]
    if rows[0][4] is None:
        rows = []
    return _FetchedRows(
        rows[:limit],
        len(rows) > limit,
        ReadSnapshot(cast("str", epoch), cast("str", snapshot)),
        cast("str | None", address),
    )


def _position_of(row: tuple[object, ...]) -> MessagePosition:
    return MessagePosition(cast("int", row[0]), cast("int", row[1]), cast("str", row[2]), cast("int", row[3]))
