"""The list of chats, newest first, a page at a time."""

from dataclasses import dataclass
from typing import LiteralString, cast

from store import like
from store.connect import Connection
from store.facts import ChatKind
from store.shapes import CHAT

_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Position:
    """A place between chats, which move only towards the top."""

    timestamp: int
    chat_id: int


_TOP = Position(_MAX, _MAX)


@dataclass(frozen=True, slots=True)
class Filter:
    """What is left out; the defaults leave out nothing."""

    sessions: tuple[str, ...] | None = None
    """The sessions that may be looked at; None: all of them."""
    unread: bool = False
    waiting: bool = False
    kind: ChatKind | None = None
    q: str | None = None
    """Part of a name or a number, or how the last text begins."""


@dataclass(frozen=True, slots=True)
class Page:
    contacts: tuple[str, ...]
    """JSON texts, newest first."""
    older: Position | None
    """Where the list goes on; None: it does not."""
    newer: Position | None
    """Where chats will be that get a message after this; None: there are no chats."""


_KINDS: dict[ChatKind, LiteralString] = {
    "phone": "AND c.kind = 'phone'",
    "group": "AND c.kind = 'group'",
    "lid": "AND c.kind = 'lid'",
    "newsletter": "AND c.kind = 'newsletter'",
    "broadcast": "AND c.kind = 'broadcast'",
    "other": "AND c.kind = 'other'",
}
# Read in the list's order and ended by its limit: for names there is no index, and of chats there are not so many.
_NAMED: LiteralString = """
    AND (c.name ILIKE %(containing)s OR c.address LIKE %(digits)s
        OR (m.deleted_at IS NULL AND coalesce(nullif(m.message_text, ''), m.caption) ILIKE %(beginning)s))
"""


def _page(wanted: Filter, compared: LiteralString, ordered: LiteralString) -> LiteralString:
    # A filter is a clause that is there or not: PostgreSQL uses a partial index only for what the text says.
    unread: LiteralString = "AND (c.unread > 0 OR c.marked_unread)" if wanted.unread else ""
    waiting: LiteralString = "AND c.waiting_since IS NOT NULL" if wanted.waiting else ""
    kind: LiteralString = "" if wanted.kind is None else _KINDS[wanted.kind]
    named: LiteralString = "" if wanted.q is None else _NAMED
    session: LiteralString = "" if wanted.sessions is None else "AND c.session_id = s.session_id"
    chats: LiteralString = f"""
        SELECT c.last_timestamp, c.chat_id, {CHAT} AS shown
        FROM chats AS c
        LEFT JOIN whatsapp_messages AS m ON m.id = c.last_id
        WHERE c.merged_into IS NULL AND c.last_timestamp IS NOT NULL
            AND (c.last_timestamp, c.chat_id) {compared} (%(timestamp)s, %(chat_id)s)
            {session} {unread} {waiting} {kind} {named}
        ORDER BY {ordered}
        LIMIT %(limit)s
    """  # noqa: S608 - assembled from literals only, which the type proves
    if wanted.sessions is None:
        return chats
    # One index scan per session, each ending at the limit.
    return f"""
        SELECT c.last_timestamp, c.chat_id, c.shown
        FROM unnest(%(sessions)s::text[]) AS s (session_id)
        CROSS JOIN LATERAL ({chats}) AS c
        ORDER BY {ordered}
        LIMIT %(limit)s
    """  # noqa: S608 - as above


def newest(connection: Connection, wanted: Filter, limit: int) -> Page:
    """The first page."""
    return older(connection, wanted, _TOP, limit)


def older(connection: Connection, wanted: Filter, below: Position, limit: int) -> Page:
    """The first chats below a position."""
    query = _page(wanted, "<", "c.last_timestamp DESC, c.chat_id DESC")
    rows = _ask(connection, query, wanted, below, limit)
    page = rows[:limit]
    return Page(
        tuple(cast("str", shown) for _, _, shown in page),
        _position(page[-1]) if len(rows) > limit else None,
        _position(page[0]) if page else None,
    )


def newer(connection: Connection, wanted: Filter, above: Position, limit: int) -> Page:
    """The chats next above a position: what came to the top since a page was drawn."""
    query = _page(wanted, ">", "c.last_timestamp, c.chat_id")
    page = _ask(connection, query, wanted, above, limit)[:limit][::-1]
    return Page(
        tuple(cast("str", shown) for _, _, shown in page),
        _position(page[-1]) if page else None,
        _position(page[0]) if page else above,
    )


def _ask(
    connection: Connection, query: LiteralString, wanted: Filter, position: Position, limit: int
) -> list[tuple[object, ...]]:
    return connection.execute(
        query,
        {
            "timestamp": position.timestamp,
            "chat_id": position.chat_id,
            "sessions": None if wanted.sessions is None else list(wanted.sessions),
            **_patterns(wanted.q or ""),
            "limit": limit + 1,
        },
    ).fetchall()


def _patterns(q: str) -> dict[str, object]:
    digits = "".join(character for character in q if character.isdecimal())
    is_number = bool(digits) and not any(character.isalpha() for character in q)
    return {
        "containing": like.containing(q.strip()),
        "beginning": like.beginning(q.strip()),
        "digits": like.containing(digits if is_number else q.strip()),
    }


def _position(row: tuple[object, ...]) -> Position:
    return Position(cast("int", row[0]), cast("int", row[1]))
