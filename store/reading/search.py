"""Finds messages by words, parts of words and numbers, newest first."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import LiteralString, TypeAlias, cast

from store.model import spelling
from store.postgres.connections import Connection
from store.reading import search_terms
from store.reading.chat_scope import MEMBERS_CTE
from store.reading.json_views import IS_UNREAD, MAX_BIGINT, MAX_PAGE_BYTES, MESSAGE_BYTES, MESSAGE_JSON
from store.reading.search_query import SearchHit, SearchPage, SearchPosition, SearchQuery

_Row: TypeAlias = tuple[int, int, str, str | None, str, int]
"""Position, message, name of its chat, its text, and the number of rows that were found."""
_CHAT_SCAN_WINDOW = 200
"""The newest messages of a chat, which are scanned first: a word that is frequent in it fills a page there."""
_STATEMENT_TIMEOUT = "2500ms"
_WORD_SIMILARITY = "0.35"
"""The share of a word's trigrams that a similar word must contain: `recieve` contains 0.375 of `receive`."""
_AFTER_LAST = SearchPosition(MAX_BIGINT, MAX_BIGINT, fuzzy=False)


def _search_sql(
    conditions: LiteralString,
    query: SearchQuery,
    *,
    newest_only: bool = False,
    scan_chat: bool = False,
    sort_matches: bool = False,
) -> LiteralString:
    """Build the query of a page.

    `newest_only`: search only the newest messages, without the trigram index. `scan_chat`: scan the chat for the words,
    instead of filtering the index's matches by chat. `sort_matches`: find all matches first, then sort them.
    """
    in_chat: LiteralString = "true"
    if query.address is not None:
        # `+ 0` keeps PostgreSQL from using the index by chat.
        chat_id: LiteralString = "s.chat_id" if scan_chat else "s.chat_id + 0"
        in_chat = f"{chat_id} = ANY(ARRAY(SELECT x.chat_id FROM members AS x))"  # noqa: S608 - as below
    source: LiteralString = "search_index"
    remaining_conditions = conditions
    if sort_matches and not scan_chat:
        source = f"(SELECT s.* FROM search_index AS s WHERE {conditions} OFFSET 0)"  # noqa: S608 - as below
        # Comparing a document with a similar word takes microseconds; once is enough.
        remaining_conditions = "true"
    if newest_only:
        newest: LiteralString = """
            SELECT s.id, s.chat_id, s.session_id, s.direction, s.message_type, s.timestamp, s.text
            FROM search_index AS s
            WHERE (s.timestamp, s.id) < (%(timestamp)s, %(id)s)
        """
        end: LiteralString = "ORDER BY s.timestamp DESC, s.id DESC LIMIT %(window)s"
        source = f"({newest} {end})"
        if query.address is not None:
            source = f"""(
                SELECT s.*
                FROM members AS x
                CROSS JOIN LATERAL ({newest} AND s.chat_id = x.chat_id {end}) AS s
                {end}
            )"""  # noqa: S608 - assembled from literals only, which the type proves
    # S608: assembled from literals only, which the type proves.
    return f"""
        WITH {MEMBERS_CTE}
        SELECT hit.timestamp, hit.id, {MESSAGE_JSON}, canonical.name,
            concat_ws(' ', m.message_text, m.caption, m.file_name), hit.candidates
        FROM (
            SELECT found.*, count(*) OVER () AS candidates, sum(found.bytes)
                    OVER (ORDER BY found.timestamp DESC, found.id DESC ROWS UNBOUNDED PRECEDING) - found.bytes
                AS bytes_before
            FROM (
                SELECT s.timestamp, s.id, m.bytes, canonical.chat_id AS canonical_chat_id
                FROM (
                    SELECT s.timestamp, s.id
                    FROM {source} AS s
                    WHERE {remaining_conditions} AND {in_chat} AND (s.timestamp, s.id) < (%(timestamp)s, %(id)s)
                        AND s.timestamp >= %(since)s AND s.timestamp < %(until)s
                        AND (%(sessions)s::text[] IS NULL OR s.session_id = ANY(%(sessions)s))
                        AND (%(direction)s::text IS NULL OR s.direction = %(direction)s)
                        AND (%(type)s::text IS NULL OR s.message_type = %(type)s)
                    ORDER BY s.timestamp DESC, s.id DESC OFFSET 0
                ) AS s
                CROSS JOIN LATERAL (
                    SELECT {MESSAGE_BYTES} AS bytes, m.chat_id
                    FROM whatsapp_messages AS m
                    WHERE m.id = s.id AND NOT m.is_duplicate AND m.deleted_at IS NULL LIMIT 1
                ) AS m
                CROSS JOIN LATERAL (
                    SELECT c.chat_id
                    FROM chats AS member
                    JOIN chats AS c ON c.chat_id = member.canonical_chat_id
                    WHERE member.chat_id = m.chat_id
                        AND (%(chat_kind)s::text IS NULL OR c.kind = %(chat_kind)s)
                        AND (NOT %(waiting)s OR c.waiting_since IS NOT NULL)
                        AND (NOT %(unread)s OR {IS_UNREAD})
                    LIMIT 1
                ) AS canonical
                ORDER BY s.timestamp DESC, s.id DESC LIMIT %(limit)s
            ) AS found
        ) AS hit
        -- All columns, because MESSAGE_JSON decides which are used.
        CROSS JOIN LATERAL (SELECT x.* FROM whatsapp_messages AS x WHERE x.id = hit.id LIMIT 1) AS m
        CROSS JOIN LATERAL (
            SELECT c.chat_id, c.address, c.name FROM chats AS c WHERE c.chat_id = hit.canonical_chat_id LIMIT 1
        ) AS canonical
        WHERE hit.bytes_before < %(max_bytes)s
        ORDER BY hit.timestamp DESC, hit.id DESC
    """  # noqa: S608


def find(connection: Connection, query: SearchQuery, after: SearchPosition | None) -> SearchPage:
    """Return a page of results; raises an error with SQLSTATE 57014 if the words are too frequent.

    Similar words are searched if the first page has no exact match, and on all pages after such a page.
    """
    start = after or _AFTER_LAST
    with connection.transaction():
        connection.execute(
            """
            SELECT set_config('statement_timeout', %s, true), set_config('pg_trgm.word_similarity_threshold', %s, true)
            """,
            [_STATEMENT_TIMEOUT, _WORD_SIMILARITY],
        )
        # Before the search, because messages that are indexed between the two queries were not searched.
        is_complete = _is_index_complete(connection)
        rows: list[_Row] = [] if start.fuzzy else _search_newest(connection, query, start)
        fuzzy = start.fuzzy
        if fuzzy or not _fill_page(rows, query):
            rows, fuzzy = _search_all(connection, query, start, is_first_page=after is None)
    page = rows[: query.limit]
    next_position = SearchPosition(*page[-1][:2], fuzzy) if page and page[-1][-1] > len(page) else None
    hits = tuple(SearchHit(*row[2:5]) for row in page)
    return SearchPage(hits, next_position, fuzzy and bool(page), is_complete)


def _fill_page(rows: Sequence[_Row], query: SearchQuery) -> bool:
    """Whether there are more matches than the page can have, however many of them were cut off for their size."""
    return bool(rows) and rows[0][-1] > query.limit


def _is_index_complete(connection: Connection) -> bool:
    row = connection.execute(
        """
        SELECT p.spelling >= %s AND NOT EXISTS (
            SELECT FROM changes AS c
            WHERE (c.xid, c.change_id) > (p.xid, p.change_id) AND c.kind IN ('message', 'edit', 'delete')
        )
        FROM search_index_position AS p
        """,
        [spelling.VERSION],
    ).fetchone()
    return row == (True,)


def _search_newest(connection: Connection, query: SearchQuery, start: SearchPosition) -> list[_Row]:
    """Scan the newest messages; the result is a full page or of no use."""
    condition: LiteralString = " AND ".join(search_terms.LIKE_CONDITIONS[: len(query.words)])
    sql = _search_sql(condition, query, newest_only=True)
    parameters = search_terms.like_parameters(query.words)
    windows = (search_terms.SCAN_WINDOW,) if query.address is None else (_CHAT_SCAN_WINDOW, search_terms.SCAN_WINDOW)
    rows: list[_Row] = []
    for window in windows:
        rows = _fetch(connection, sql, query, start, parameters, window)
        if _fill_page(rows, query):
            break
    return rows


def _search_all(
    connection: Connection, query: SearchQuery, start: SearchPosition, *, is_first_page: bool
) -> tuple[list[_Row], bool]:
    """Search all messages; also return whether similar words were searched."""
    frequencies = search_terms.measure_frequencies(connection, query.words, in_chat=query.address is not None)
    # Sessions that serve pages disable sorting, but the trigram index's matches are unordered.
    connection.execute("SELECT set_config('enable_sort', 'on', true)")

    def run(condition: LiteralString, parameters: dict[str, str]) -> list[_Row]:
        scan_chat = not any(frequencies.use_index)
        sql = _search_sql(condition, query, scan_chat=scan_chat, sort_matches=frequencies.has_rare_word)
        return _fetch(connection, sql, query, start, parameters)

    if not start.fuzzy:
        rows = run(search_terms.exact_condition(frequencies.use_index), search_terms.like_parameters(query.words))
        if rows or not is_first_page or not any(search_terms.allows_typos(word) for word in query.words):
            return rows, False
    return run(*search_terms.similar_condition(query.words, frequencies.use_index)), True


def _fetch(  # noqa: PLR0913, PLR0917 - a query and its parameters
    connection: Connection,
    sql: LiteralString,
    query: SearchQuery,
    start: SearchPosition,
    word_parameters: dict[str, str],
    scan_window: int = 0,
) -> list[_Row]:
    """The matches and their number, which may exceed the page's limit by one; fewer matches if they are large."""
    cursor = connection.execute(
        sql,
        {
            **word_parameters,
            **asdict(query),
            **asdict(start),
            "window": scan_window,
            "sessions": None if query.sessions is None else list(query.sessions),
            "since": 0 if query.since is None else query.since,
            "until": MAX_BIGINT if query.until is None else query.until,
            "versions": False,
            "limit": query.limit + 1,
            "max_bytes": MAX_PAGE_BYTES,
        },
        # Not prepared, because the plan depends on the words' frequencies.
        prepare=False,
    )
    return cast("list[_Row]", cursor.fetchall())
