"""Reads pages of the list of chats, filtered by state, kind and text, in the order of last message or of waiting."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, LiteralString, TypeAlias, cast

from store.model.facts import ChatKind
from store.postgres import pool
from store.postgres.compiled_query import compile_query
from store.postgres.connections import Connection
from store.reading.chats import chat_search_sql
from store.reading.chats.chat_activity import ChatActivity
from store.reading.fragments.annotation_sql import HAS_LABEL, LABELLED
from store.reading.fragments.json_views import CHAT_JSON, MAX_BIGINT
from store.reading.fragments.unread_sql import IS_UNREAD
from store.reading.search import search_terms
from store.search_index import search_document

_Row: TypeAlias = tuple[object, ...]
Order: TypeAlias = tuple[LiteralString, LiteralString, LiteralString]
"""The sort column, the operator that compares it with the previous page's position, and the ORDER BY clause."""
ChatSource: TypeAlias = Literal["list", "window", "candidates"]
"""All chats in order, a window of the next chats, or only the candidates that the indexes find."""


@dataclass(frozen=True, slots=True)
class ChatPosition:
    """A position in the list. Under the order by last message, a chat can only move towards the top."""

    timestamp: int
    """The sort key: the time of the last message, or the time since which the contact has been waiting."""
    chat_id: int


BEFORE_FIRST = ChatPosition(MAX_BIGINT, MAX_BIGINT)
_NEWEST_FIRST: Order = "c.last_timestamp", "<", "c.last_timestamp DESC, c.chat_id DESC"
_OLDEST_FIRST: Order = "c.last_timestamp", ">", "c.last_timestamp, c.chat_id"
_LONGEST_WAITING_FIRST: Order = "c.waiting_since", ">", "c.waiting_since, c.chat_id"


@dataclass(frozen=True, slots=True)
class ChatFilter:
    """The filters of a page. The defaults exclude nothing."""

    sessions: tuple[str, ...] | None = None
    """The sessions that the reader may see, or None for all."""
    unread: bool = False
    """Only chats with messages that are neither marked as read nor answered."""
    unmarked: bool = False
    """Only chats with messages that are not marked as read, answered or not."""
    waiting: bool = False
    kind: ChatKind | None = None
    label: str | None = None
    search_text: str | None = None
    """A part of the name, number, a label or a note, or the beginning of the last message."""
    activity: ChatActivity | None = None


@dataclass(frozen=True, slots=True)
class ChatListPage:
    chats: tuple[str, ...]
    """JSON objects, newest first."""
    older: ChatPosition | None
    """The position of the next page, or None if there is none."""
    newer: ChatPosition | None
    """The position from which to request chats with newer messages, or None if the page is empty."""
    fuzzy: bool = False
    """True if no chat contains the text and the page has chats with similar names."""


_KINDS: tuple[ChatKind, ...] = ("phone", "group", "lid", "newsletter", "broadcast", "other")
_KIND_CLAUSES: dict[ChatKind, LiteralString] = {kind: f"AND c.kind = '{kind}'" for kind in _KINDS}
_READ_QUERY: LiteralString = f"""
    SELECT {CHAT_JSON}
    FROM unnest(%(chat_ids)s::bigint[]) WITH ORDINALITY AS listed (chat_id, number)
    CROSS JOIN LATERAL (SELECT c.* FROM chats AS c WHERE c.chat_id = listed.chat_id LIMIT 1) AS c
    LEFT JOIN LATERAL (SELECT m.* FROM whatsapp_messages AS m WHERE m.id = c.last_id LIMIT 1) AS m ON true
    ORDER BY listed.number
"""
_SCAN_WINDOW = 1_000
"""The number of chats to scan in order before the indexes are used; a scan finds a frequent text sooner."""


def page_query(
    chat_filter: ChatFilter,
    order: Order,
    source: ChatSource = "list",
    candidates: LiteralString = "",
    *,
    names_only: bool = False,
) -> LiteralString:
    """Build the query of a page.

    `candidates` is the query that finds the chats if `source` is "candidates". With `names_only`, names are selected
    instead of JSON, and no messages are read.
    """
    column, operator, order_by = order
    # Clauses rather than parameters: PostgreSQL uses a partial index only if the query text implies its condition.
    unread: LiteralString = f"AND {IS_UNREAD}" if chat_filter.unread else ""
    if chat_filter.unmarked:
        unread += "AND (c.unread > 0 OR c.marked_unread)"
    waiting: LiteralString = "AND c.waiting_since IS NOT NULL" if chat_filter.waiting else ""
    kind: LiteralString = "" if chat_filter.kind is None else _KIND_CLAUSES[chat_filter.kind]
    label: LiteralString = "" if chat_filter.label is None else f"AND {HAS_LABEL}"
    activity: LiteralString = "" if chat_filter.activity is None else f"AND {chat_filter.activity.condition()}"
    text: LiteralString = (
        "" if chat_filter.search_text is None else chat_search_sql.search_clause(all_names=source == "list")
    )
    session: LiteralString = "" if chat_filter.sessions is None else "AND c.session_id = s.session_id"
    if source == "candidates" and chat_filter.sessions is not None:
        session = "AND c.session_id = ANY(%(sessions)s)"
    listed: LiteralString = f"""
        c.merged_into IS NULL AND c.last_timestamp IS NOT NULL
        AND ({column}, c.chat_id) {operator} (%(timestamp)s, %(chat_id)s)
        {session} {unread} {waiting} {kind} {label} {activity}
    """
    # All columns are selected, because CHAT_JSON decides which are used.
    sources: dict[ChatSource, LiteralString] = {
        "list": "chats AS c",
        "window": f"(SELECT c.* FROM chats AS c WHERE {listed} ORDER BY {order_by} LIMIT %(window)s) AS c",
        "candidates": f"""
            ({candidates} OFFSET 0) AS candidate
            -- LIMIT 1 forces an index lookup, even if the planner expects many candidates.
            CROSS JOIN LATERAL (SELECT c.* FROM chats AS c WHERE c.chat_id = candidate.chat_id LIMIT 1) AS c
        """,
    }
    message: LiteralString = "whatsapp_messages"
    if source == "candidates":
        # LIMIT 1 forces an index lookup here, too. For other sources, it would look up the message of each chat that is
        # sorted.
        message = "LATERAL (SELECT m.* FROM whatsapp_messages AS m WHERE m.id = c.last_id LIMIT 1)"
    view: LiteralString = "c.name" if names_only else CHAT_JSON
    message_join: LiteralString = "" if names_only else f"LEFT JOIN {message} AS m ON m.id = c.last_id"
    chats: LiteralString = f"""
        SELECT {column}, c.chat_id, {view} AS view
        FROM {sources[source]}
        {message_join}
        WHERE {listed} {text}
        ORDER BY {order_by}
        LIMIT %(limit)s
    """
    if chat_filter.sessions is None or source == "candidates":
        return chats
    # One index scan per session, each limited to the page size.
    return f"""
        SELECT {column}, c.chat_id, c.view
        FROM unnest(%(sessions)s::text[]) AS s (session_id)
        CROSS JOIN LATERAL ({chats}) AS c
        ORDER BY {order_by}
        LIMIT %(limit)s
    """


def newest(connection: Connection, chat_filter: ChatFilter, limit: int) -> ChatListPage:
    """Return the newest page."""
    return older(connection, chat_filter, BEFORE_FIRST, limit)


def older(connection: Connection, chat_filter: ChatFilter, position: ChatPosition, limit: int) -> ChatListPage:
    """Return the page below a position."""
    rows = _fetch(connection, chat_filter, position, limit, _NEWEST_FIRST)
    page = rows[:limit]
    below = _position_of(page[-1]) if len(rows) > limit else None
    return _chats_page(page, below, _position_of(page[0]) if page else None)


def newer(connection: Connection, chat_filter: ChatFilter, position: ChatPosition, limit: int) -> ChatListPage:
    """Return the page above a position: chats with messages newer than those of that page."""
    page = _fetch(connection, chat_filter, position, limit, _OLDEST_FIRST)[:limit][::-1]
    return _chats_page(page, _position_of(page[-1]) if page else None, _position_of(page[0]) if page else position)


def longest_waiting(
    connection: Connection, chat_filter: ChatFilter, position: ChatPosition | None, limit: int
) -> ChatListPage:
    """Return the page of waiting chats after a position, or the first page. Its `newer` is None."""
    only_waiting = replace(chat_filter, waiting=True)
    rows = _fetch(connection, only_waiting, position or ChatPosition(0, 0), limit, _LONGEST_WAITING_FIRST)
    return _chats_page(rows[:limit], _position_of(rows[limit - 1]) if len(rows) > limit else None, None)


def read(connection: Connection, chat_ids: Sequence[int]) -> tuple[str, ...]:
    """Return the JSON of these canonical chats, in their order."""
    rows = compile_query(_READ_QUERY).fetch_all(connection, {"chat_ids": chat_ids}) if chat_ids else []
    return tuple(cast("str", view) for (view,) in rows)


def page_parameters(chat_filter: ChatFilter, position: ChatPosition, limit: int) -> dict[str, object]:
    """Return the parameters of `page_query`, except those of the search text."""
    sessions = None if chat_filter.sessions is None else list(chat_filter.sessions)
    activity = {} if chat_filter.activity is None else chat_filter.activity.parameters()
    return {**asdict(position), "sessions": sessions, "limit": limit, "label": chat_filter.label, **activity}


def _fetch(
    connection: Connection, chat_filter: ChatFilter, position: ChatPosition, limit: int, order: Order
) -> list[_Row]:
    """Fetch up to `limit` + 1 rows. The extra row shows that another page follows."""
    values = page_parameters(chat_filter, position, limit + 1)
    is_labelled = chat_filter.label is not None
    if chat_filter.search_text is None:
        # The page is chosen before the last messages are looked up. If PostgreSQL sorts, it would look them up for
        # every chat.
        query = page_query(chat_filter, order, "candidates" if is_labelled else "window", LABELLED)
        return connection.execute(query, {**values, "window": limit + 1}).fetchall()
    words = search_document.split_query(chat_filter.search_text)
    values |= {"window": _SCAN_WINDOW, **chat_search_sql.parameters(chat_filter.search_text, words)}
    with connection.transaction():
        connection.execute(f"SELECT {pool.PLAN_FOR_VALUES}")
        return _search(connection, chat_filter, limit, order, words, values)


def _search(  # noqa: PLR0913, PLR0917 - a query and its parameters
    connection: Connection,
    chat_filter: ChatFilter,
    limit: int,
    order: Order,
    words: Sequence[str],
    values: dict[str, object],
) -> list[_Row]:
    is_labelled = chat_filter.label is not None
    query = page_query(chat_filter, order, "candidates" if is_labelled else "window", LABELLED)
    rows = _execute_unprepared(connection, query, values)
    if is_labelled or len(rows) > limit:
        return rows
    words = search_terms.indexable(words)
    if not words:
        # The text is too short for the trigram indexes, and texts this short are usually frequent.
        return _execute_unprepared(connection, page_query(chat_filter, order), values)
    text_condition: LiteralString = " AND ".join(search_terms.exact_conditions(words))
    query = page_query(chat_filter, order, "candidates", chat_search_sql.candidates_query(text_condition))
    return _execute_unprepared(connection, query, values | search_terms.parameters_of(words))


def _execute_unprepared(connection: Connection, query: LiteralString, values: dict[str, object]) -> list[_Row]:
    # Not prepared, because the plan depends on the frequency of the words.
    return connection.execute(query, values, prepare=False).fetchall()


def _chats_page(rows: list[_Row], older: ChatPosition | None, newer: ChatPosition | None) -> ChatListPage:
    return ChatListPage(tuple(cast("str", view) for _, _, view in rows), older, newer)


def _position_of(row: _Row) -> ChatPosition:
    return ChatPosition(cast("int", row[0]), cast("int", row[1]))
