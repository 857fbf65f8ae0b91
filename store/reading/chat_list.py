"""The list of chats, newest first, a page at a time."""

from dataclasses import dataclass
from typing import Literal, LiteralString, TypeAlias, cast

from store.model.facts import ChatKind
from store.postgres import like
from store.postgres.connections import Connection
from store.reading import search, search_terms
from store.reading.json_views import CHAT

Source: TypeAlias = Literal["list", "window", "candidates"]
"""The chats in their order, the next of them, or those that indexes name."""

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
_WINDOW = 1_000
"""The next chats that are read one by one first: what many of them have is found there, and quickly."""
_NAMED: LiteralString = """
    AND (c.name ILIKE %(containing)s OR c.address LIKE %(digits)s
        OR (m.deleted_at IS NULL AND coalesce(nullif(m.message_text, ''), m.caption) ILIKE %(beginning)s))
"""


def _candidates(told: LiteralString) -> LiteralString:
    """What may be meant, by indexes; the chats themselves are compared afterwards."""
    return f"""
    SELECT n.chat_id
    FROM chat_names AS n
    WHERE n.name ILIKE %(containing)s
    UNION
    SELECT n.chat_id
    FROM chat_names AS n
    WHERE n.address LIKE %(digits)s
    UNION
    SELECT head.chat_id
    FROM searchable AS s
    JOIN chats AS place ON place.chat_id = s.chat_id
    JOIN chats AS head ON head.chat_id = coalesce(place.merged_into, place.chat_id) AND head.last_id = s.id
    WHERE {told}
    UNION
    -- What is not searchable yet.
    SELECT e.chat_id
    FROM searchable_upto AS u
    JOIN changes AS e ON (e.xid, e.change_id) > (u.xid, u.change_id)
    """  # noqa: S608 - assembled from literals only, which the type proves


def _page(
    wanted: Filter,
    compared: LiteralString,
    ordered: LiteralString,
    source: Source = "list",
    told: LiteralString = "",
) -> LiteralString:
    # A filter is a clause that is there or not: PostgreSQL uses a partial index only for what the text says.
    unread: LiteralString = "AND (c.unread > 0 OR c.marked_unread)" if wanted.unread else ""
    waiting: LiteralString = "AND c.waiting_since IS NOT NULL" if wanted.waiting else ""
    kind: LiteralString = "" if wanted.kind is None else _KINDS[wanted.kind]
    named: LiteralString = "" if wanted.q is None else _NAMED
    session: LiteralString = "" if wanted.sessions is None else "AND c.session_id = s.session_id"
    if source == "candidates" and wanted.sessions is not None:
        session = "AND c.session_id = ANY(%(sessions)s)"
    listed: LiteralString = f"""
        c.merged_into IS NULL AND c.last_timestamp IS NOT NULL
        AND (c.last_timestamp, c.chat_id) {compared} (%(timestamp)s, %(chat_id)s)
        {session} {unread} {waiting} {kind}
    """
    # All columns: what is shown of a chat is not this query's business. S608: literals only, which the type proves.
    sources: dict[Source, LiteralString] = {
        "list": "chats AS c",
        "window": f"(SELECT c.* FROM chats AS c WHERE {listed} ORDER BY {ordered} LIMIT %(window)s) AS c",  # noqa: S608
        "candidates": f"""
            ({_candidates(told)} OFFSET 0) AS f
            -- LIMIT 1 on what is one row anyway: however many the planner expects, it looks up these and no others.
            CROSS JOIN LATERAL (SELECT c.* FROM chats AS c WHERE c.chat_id = f.chat_id LIMIT 1) AS c
        """,  # noqa: S608
    }
    chats: LiteralString = f"""
        SELECT c.last_timestamp, c.chat_id, {CHAT} AS shown
        FROM {sources[source]}
        LEFT JOIN whatsapp_messages AS m ON m.id = c.last_id
        WHERE {listed} {named}
        ORDER BY {ordered}
        LIMIT %(limit)s
    """  # noqa: S608 - as above
    if wanted.sessions is None or source == "candidates":
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
    rows = _ask(connection, wanted, below, limit, "<", "c.last_timestamp DESC, c.chat_id DESC")
    page = rows[:limit]
    return Page(
        tuple(cast("str", shown) for _, _, shown in page),
        _position(page[-1]) if len(rows) > limit else None,
        _position(page[0]) if page else None,
    )


def newer(connection: Connection, wanted: Filter, above: Position, limit: int) -> Page:
    """The chats next above a position: what came to the top since a page was drawn."""
    page = _ask(connection, wanted, above, limit, ">", "c.last_timestamp, c.chat_id")[:limit][::-1]
    return Page(
        tuple(cast("str", shown) for _, _, shown in page),
        _position(page[-1]) if page else None,
        _position(page[0]) if page else above,
    )


def _ask(  # noqa: PLR0913, PLR0917 - a page and its direction
    connection: Connection,
    wanted: Filter,
    position: Position,
    limit: int,
    compared: LiteralString,
    ordered: LiteralString,
) -> list[tuple[object, ...]]:
    """Up to one more than `limit`, which tells that there are more."""
    values: dict[str, object] = {
        "timestamp": position.timestamp,
        "chat_id": position.chat_id,
        "sessions": None if wanted.sessions is None else list(wanted.sessions),
        "limit": limit + 1,
    }
    if wanted.q is None:
        return connection.execute(_page(wanted, compared, ordered), values).fetchall()
    values |= {"window": _WINDOW, **_patterns(wanted.q)}
    rows = _read(connection, _page(wanted, compared, ordered, "window"), values)
    if len(rows) > limit:
        return rows
    words = [word for word in search.words_of(connection, wanted.q) if len(word) >= search_terms.TRIGRAM][
        : search_terms.MAX_WORDS
    ]
    if not words:
        # No index knows parts as short as this; that few chats have them is rare.
        return _read(connection, _page(wanted, compared, ordered), values)
    told: LiteralString = " AND ".join(search_terms.LIKE[: len(words)])
    query = _page(wanted, compared, ordered, "candidates", told)
    return _read(connection, query, values | search_terms.patterns_of(words))


def _read(connection: Connection, query: LiteralString, values: dict[str, object]) -> list[tuple[object, ...]]:
    # The plan depends on how common the words are.
    return connection.execute(query, values, prepare=False).fetchall()


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
