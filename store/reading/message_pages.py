"""The messages of a chat, a page at a time, in the order (timestamp, arrived, message_id, id)."""

from dataclasses import dataclass
from typing import LiteralString, cast
from uuid import UUID

from store.postgres.connections import Connection
from store.reading.chat_scope import MEMBERS, Place
from store.reading.json_views import MESSAGE, SEND

_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Position:
    """A place between messages that stays where it is, whatever is written around it."""

    timestamp: int
    arrived: int
    message_id: str
    id: int


_NEWEST = Position(_MAX, _MAX, "", _MAX)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages; the defaults leave out nothing."""

    place: Place
    limit: int
    direction: str | None = None
    type: str | None = None
    since: int | None = None
    """ms, inclusive"""
    until: int | None = None
    """ms, exclusive"""
    versions: bool = False
    """Whether each message tells its texts before edits."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Exactly what a page could have shown."""

    epoch: str
    snapshot: str
    """PostgreSQL's pg_snapshot, as text."""


@dataclass(frozen=True, slots=True)
class Page:
    messages: tuple[str, ...]
    """JSON texts, oldest first."""
    before: Position | None
    """Where older messages go on; None: there are none."""
    after: Position | None
    """Where newer messages go on; None: there are none."""
    as_of: Snapshot
    address: str | None
    """The chat's own address, where it is another one than was asked for; None if nobody knows the chat."""


def _page(compared: LiteralString, ordered: LiteralString) -> LiteralString:
    return f"""
        WITH {MEMBERS}
        SELECT page.timestamp, page.arrived, page.message_id, page.id, page.shown,
            about.epoch, about.snapshot, about.address
        FROM (
            SELECT e.epoch::text, pg_current_snapshot()::text AS snapshot, (
                    SELECT members.address FROM members ORDER BY members.kind <> 'phone', members.address LIMIT 1
                ) AS address
            FROM epoch AS e
        ) AS about
        LEFT JOIN (
            SELECT found.timestamp, found.arrived, found.message_id, found.id, found.shown
            FROM members
            CROSS JOIN LATERAL (
                SELECT m.timestamp, m.arrived, m.message_id, m.id, {MESSAGE} AS shown
                FROM whatsapp_messages AS m
                CROSS JOIN (SELECT members.head AS chat_id, members.address) AS head
                WHERE m.chat_id = members.chat_id AND NOT m.collapsed
                    AND (m.timestamp, m.arrived, m.message_id, m.id)
                        {compared} (%(timestamp)s, %(arrived)s, %(message_id)s, %(id)s)
                    AND m.timestamp >= %(since)s AND m.timestamp < %(until)s
                    AND (%(direction)s::text IS NULL OR m.direction = %(direction)s)
                    AND (%(type)s::text IS NULL OR m.message_type = %(type)s)
                ORDER BY {ordered}
                LIMIT %(limit)s
            ) AS found
            -- Sends that are no message are shown where their message would be. There are few, and mostly none.
            UNION ALL
            SELECT found.timestamp, found.arrived, found.message_id, found.id, found.shown
            FROM members
            CROSS JOIN LATERAL (
                SELECT s.timestamp, s.arrived, s.place AS message_id, 0::bigint AS id, {SEND} AS shown
                FROM sends AS s
                WHERE s.chat_id = members.chat_id AND s.key_id IS NULL
                    AND (s.timestamp, s.arrived, s.place, 0::bigint)
                        {compared} (%(timestamp)s, %(arrived)s, %(message_id)s, %(id)s)
                    AND s.timestamp >= %(since)s AND s.timestamp < %(until)s
                    AND (%(direction)s::text IS NULL OR %(direction)s = 'outgoing')
                    AND (%(type)s::text IS NULL OR s.kind = %(type)s)
                ORDER BY {ordered}
                LIMIT %(limit)s
            ) AS found
            ORDER BY {ordered}
            LIMIT %(limit)s
        ) AS page ON true
    """  # noqa: S608 - assembled from literals only, which the type proves


_DOWN: LiteralString = "timestamp DESC, arrived DESC, message_id DESC, id DESC"
_UP: LiteralString = "timestamp, arrived, message_id, id"
_OLDER = _page("<", _DOWN)
_NEWER = _page(">", _UP)
_FROM_HERE = _page(">=", _UP)


def newest(connection: Connection, wanted: Wanted) -> Page:
    """The last messages."""
    found = _ask(connection, _OLDER, wanted, _NEWEST, wanted.limit)
    rows = found.rows[::-1]
    return found.page(rows, _position(rows[0]) if found.more else None, None)


def older(connection: Connection, wanted: Wanted, before: Position) -> Page:
    """The last messages before a position."""
    found = _ask(connection, _OLDER, wanted, before, wanted.limit)
    rows = found.rows[::-1]
    return found.page(rows, _position(rows[0]) if found.more else None, _position(rows[-1]) if rows else None)


def newer(connection: Connection, wanted: Wanted, after: Position) -> Page:
    """The first messages after a position."""
    found = _ask(connection, _NEWER, wanted, after, wanted.limit)
    rows = found.rows
    return found.page(rows, _position(rows[0]) if rows else None, _position(rows[-1]) if found.more else None)


def around(connection: Connection, wanted: Wanted, middle: Position) -> Page:
    """Half of the limit before a position, the rest from there on."""
    # What the second question sees and the first could not have is not in `as_of`: it stays unread, which is right.
    past = _ask(connection, _OLDER, wanted, middle, wanted.limit // 2)
    rest = _ask(connection, _FROM_HERE, wanted, middle, wanted.limit - wanted.limit // 2)
    rows = [*past.rows[::-1], *rest.rows]
    return past.page(
        rows,
        (_position(rows[0]) if rows else middle) if past.more else None,
        _position(rows[-1]) if rest.more else None,
    )


def around_message(connection: Connection, wanted: Wanted, message_id: str) -> Page | None:
    """The page around a message (or a send, by its own or the gateway's number); None if the chat has none of it."""
    position = find(connection, wanted.place, message_id)
    return None if position is None else around(connection, wanted, position)


def find(connection: Connection, place: Place, message_id: str) -> Position | None:
    """Where a message (or a send, by its own or the gateway's number) is: of several with this id, the newest."""
    row = connection.execute(
        f"""
        WITH {MEMBERS}
        SELECT m.timestamp, m.arrived, m.message_id, m.id
        FROM members
        JOIN chats AS c ON c.chat_id = members.chat_id
        JOIN sessions AS s ON s.session_id = c.session_id
        JOIN keys AS k ON k.session = s.session AND k.message_id = %(message_id)s
        JOIN whatsapp_messages AS m ON m.key_id = k.key_id AND m.chat_id = c.chat_id AND NOT m.collapsed
        UNION ALL
        SELECT s.timestamp, s.arrived, s.place, 0
        FROM members
        JOIN chats AS c ON c.chat_id = members.chat_id
        JOIN sends AS s ON s.session_id = c.session_id AND s.gateway_id = %(message_id)s AND s.chat_id = c.chat_id
        WHERE s.key_id IS NULL
        UNION ALL
        SELECT s.timestamp, s.arrived, s.place, 0
        FROM sends AS s
        JOIN members USING (chat_id)
        WHERE s.send_id = %(send_id)s AND s.key_id IS NULL
        ORDER BY timestamp DESC, arrived DESC, message_id DESC, id DESC
        LIMIT 1
        """,  # noqa: S608 - assembled from literals only
        {**place.parameters(), "message_id": message_id, "send_id": _uuid(message_id)},
    ).fetchone()
    return None if row is None else _position(row)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Found:
    rows: list[tuple[object, ...]]
    more: bool
    as_of: Snapshot
    address: str | None

    def page(self, rows: list[tuple[object, ...]], before: Position | None, after: Position | None) -> Page:
        return Page(tuple(cast("str", row[4]) for row in rows), before, after, self.as_of, self.address)


def _ask(connection: Connection, query: LiteralString, wanted: Wanted, position: Position, limit: int) -> _Found:
    """Up to `limit` rows, and whether there are more."""
    rows = connection.execute(
        query,
        {
            **wanted.place.parameters(),
            "timestamp": position.timestamp,
            "arrived": position.arrived,
            "message_id": position.message_id,
            "id": position.id,
            "since": 0 if wanted.since is None else wanted.since,
            "until": _MAX if wanted.until is None else wanted.until,
            "direction": wanted.direction,
            "type": wanted.type,
            "versions": wanted.versions,
            "limit": limit + 1,
        },
    ).fetchall()
    epoch, snapshot, address = rows[0][5:]
    if rows[0][4] is None:
        rows = []
    return _Found(
        rows[:limit],
        len(rows) > limit,
        Snapshot(cast("str", epoch), cast("str", snapshot)),
        cast("str | None", address),
    )


def _position(row: tuple[object, ...]) -> Position:
    return Position(cast("int", row[0]), cast("int", row[1]), cast("str", row[2]), cast("int", row[3]))
