"""Reads pages of the messages of a chat, in the order (timestamp, receive_order, message_id, id)."""

from dataclasses import asdict, dataclass, replace
from typing import Literal, LiteralString, TypeAlias, cast
from uuid import UUID

from store.postgres.compiled_query import compile_query
from store.postgres.connections import Connection
from store.reading.fragments.chat_scope import MEMBERS_CTE, ChatScope
from store.reading.fragments.json_views import MAX_BIGINT, MAX_PAGE_BYTES
from store.reading.messages import message_page_sql

ContentFilter: TypeAlias = Literal["file", "link"]


@dataclass(frozen=True, slots=True)
class MessagePosition:
    """A position between messages. It stays valid when messages are added or removed."""

    timestamp: int
    receive_order: int
    message_id: str
    id: int


_AFTER_LAST = MessagePosition(MAX_BIGINT, MAX_BIGINT, "", MAX_BIGINT)


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """The filters of a page. The defaults exclude nothing."""

    scope: ChatScope
    limit: int
    direction: str | None = None
    type: str | None = None
    since: int | None = None
    """In ms, inclusive."""
    until: int | None = None
    """In ms, exclusive."""
    starred: bool = False
    has: ContentFilter | None = None
    """Only messages with a file, or only messages with a web address in their text."""
    include_versions: bool = False
    """True to include the texts of each message before its edits."""


@dataclass(frozen=True, slots=True)
class ReadSnapshot:
    """The snapshot from which a page was read."""

    epoch: str
    pg_snapshot: str
    """The pg_snapshot of PostgreSQL as text."""


@dataclass(frozen=True, slots=True)
class MessagePage:
    messages: tuple[str, ...]
    """JSON objects, oldest first."""
    older: MessagePosition | None
    """The position of the next older page, or None if there is none."""
    newer: MessagePosition | None
    """The position of the next newer page, or None if there is none."""
    as_of: ReadSnapshot
    canonical_address: str | None
    """The address of the canonical chat, or None if the chat does not exist."""


_NEWEST_FIRST: LiteralString = "timestamp DESC, receive_order DESC, message_id DESC, id DESC"
_OLDEST_FIRST: LiteralString = "timestamp, receive_order, message_id, id"
_OLDER_QUERY = message_page_sql.build("<", _NEWEST_FIRST)
_NEWER_QUERY = message_page_sql.build(">", _OLDEST_FIRST)
_FROM_POSITION_QUERY = message_page_sql.build(">=", _OLDEST_FIRST)


def newest(connection: Connection, query: MessageQuery) -> MessagePage:
    """Return the newest page."""
    fetched = _fetch(connection, _OLDER_QUERY, query, _AFTER_LAST, query.limit)
    return fetched.to_page(fetched.rows[::-1], has_older=fetched.has_more, has_newer=False)


def older(connection: Connection, query: MessageQuery, before: MessagePosition) -> MessagePage:
    """Return the page before a position."""
    fetched = _fetch(connection, _OLDER_QUERY, query, before, query.limit)
    return fetched.to_page(fetched.rows[::-1], has_older=fetched.has_more, has_newer=True)


def newer(connection: Connection, query: MessageQuery, after: MessagePosition) -> MessagePage:
    """Return the page after a position."""
    fetched = _fetch(connection, _NEWER_QUERY, query, after, query.limit)
    return fetched.to_page(fetched.rows, has_older=True, has_newer=fetched.has_more)


def around(connection: Connection, query: MessageQuery, position: MessagePosition) -> MessagePage:
    """Return a page around a position: half of the limit before it, the rest from it on."""
    # `as_of` is the snapshot of the first query. A message that only the second query sees stays unread, which is
    # correct.
    past = _fetch(connection, _OLDER_QUERY, query, position, query.limit // 2)
    rest = _fetch(connection, _FROM_POSITION_QUERY, query, position, query.limit - query.limit // 2)
    page = past.to_page([*past.rows[::-1], *rest.rows], has_older=past.has_more, has_newer=rest.has_more)
    return page if page.messages or not past.has_more else replace(page, older=position)


def locate(connection: Connection, scope: ChatScope, message_id: str) -> MessagePosition | None:
    """Return the position of the newest message with this id, or of the send with this send id or gateway id."""
    row = connection.execute(
        f"""
        WITH {MEMBERS_CTE}
        SELECT m.timestamp, m.receive_order, m.message_id, m.id
        FROM members
        JOIN chats AS c ON c.chat_id = members.chat_id
        JOIN sessions AS s ON s.session_id = primary_session(c.session_id)
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
        """,
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

    def to_page(self, rows: list[tuple[object, ...]], *, has_older: bool, has_newer: bool) -> MessagePage:
        older = _position_of(rows[0]) if rows and has_older else None
        newer = _position_of(rows[-1]) if rows and has_newer else None
        return MessagePage(tuple(cast("str", row[4]) for row in rows), older, newer, self.as_of, self.address)


def _fetch(
    connection: Connection, sql: LiteralString, query: MessageQuery, position: MessagePosition, limit: int
) -> _FetchedRows:
    """Fetch up to `limit` rows, or fewer if their texts exceed MAX_PAGE_BYTES."""
    rows = compile_query(sql).fetch_all(
        connection,
        {
            **query.scope.parameters(),
            **asdict(position),
            "since": 0 if query.since is None else query.since,
            "until": MAX_BIGINT if query.until is None else query.until,
            "direction": query.direction,
            "type": query.type,
            "starred": query.starred,
            "has": query.has,
            "versions": query.include_versions,
            "limit": limit + 1,
            "max_bytes": MAX_PAGE_BYTES,
        },
    )
    candidates, epoch, snapshot, address = cast("tuple[int | None, str, str, str | None]", rows[0][5:])
    rows = [] if candidates is None else rows[:limit]
    return _FetchedRows(rows, (candidates or 0) > len(rows), ReadSnapshot(epoch, snapshot), address)


def _position_of(row: tuple[object, ...]) -> MessagePosition:
    return MessagePosition(cast("int", row[0]), cast("int", row[1]), cast("str", row[2]), cast("int", row[3]))
