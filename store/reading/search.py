"""Finds messages by words, parts of words and numbers, newest first."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import LiteralString, TypeAlias, cast

from psycopg.errors import QueryCanceled

from store.model import spelling
from store.postgres import pool
from store.postgres.compiled_query import compile_query
from store.postgres.connections import Connection
from store.reading import search_sql, search_terms
from store.reading.json_views import MAX_BIGINT, MAX_PAGE_BYTES
from store.reading.search_query import SearchHit, SearchPage, SearchPosition, SearchQuery
from store.reading.search_terms import TermFrequencies

_Row: TypeAlias = tuple[int, int, str, str | None, str, int]
"""The position, the message, the name of its chat, its text, and the number of rows found."""
_FIRST_SCAN_WINDOW = 200
"""The number of newest messages, of all or of the chat, to scan first: a very frequent word fills a page from them."""
_STATEMENT_TIMEOUT = "2500ms"
COUNTED = 1_000
"""The greatest count. If there are more matches, the count is this number."""
_COUNT_TIMEOUT = "700ms"
_WORD_SIMILARITY = "0.35"
"""The share of a word's trigrams that a similar word must contain. `recieve` contains 0.375 of those of `receive`."""
_AFTER_LAST = SearchPosition(MAX_BIGINT, MAX_BIGINT, fuzzy=False)


def find(connection: Connection, query: SearchQuery, after: SearchPosition | None) -> SearchPage:
    """Return a page of results. Raises an error with SQLSTATE 57014 if the words are too frequent.

    Similar words are searched if the first page has no exact match, and on each page that follows such a page.
    """
    start = after or _AFTER_LAST
    with connection.transaction():
        connection.execute(
            """
            SELECT set_config('statement_timeout', %s, true), set_config('pg_trgm.word_similarity_threshold', %s, true)
            """,
            [_STATEMENT_TIMEOUT, _WORD_SIMILARITY],
        )
        # Checked before the search, because messages that are indexed between the two queries were not searched.
        is_complete = _is_index_complete(connection)
        fuzzy = start.fuzzy
        rows: list[_Row] = [] if fuzzy else _scan_newest(connection, query, start, _FIRST_SCAN_WINDOW)
        frequencies: TermFrequencies | None = None
        if not _is_full(rows, query):
            frequencies = _measure_frequencies(connection, query)
            if not fuzzy and (query.address is not None or frequencies.matches > query.limit):
                rows = _scan_newest(connection, query, start, search_terms.SCAN_WINDOW)
            if not _is_full(rows, query):
                rows, fuzzy = _search_all(connection, query, start, frequencies, is_first_page=after is None)
        page = rows[: query.limit]
        next_position = SearchPosition(*page[-1][:2], fuzzy) if page and page[-1][-1] > len(page) else None
        is_all = after is None and next_position is None
        count = len(page) if is_all else _count(connection, query, frequencies, fuzzy=fuzzy) if query.count else None
    hits = tuple(SearchHit(*row[2:5]) for row in page)
    return SearchPage(hits, next_position, fuzzy and bool(page), is_complete, count)


def _count(
    connection: Connection, query: SearchQuery, frequencies: TermFrequencies | None, *, fuzzy: bool
) -> int | None:
    """Return the number of matches, at most COUNTED, or None if counting takes too long."""
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [_COUNT_TIMEOUT])
            whole = replace(query, limit=COUNTED - 1)
            frequencies = frequencies or _measure_frequencies(connection, query)
            ((count,),) = _run_all(connection, whole, replace(_AFTER_LAST, fuzzy=fuzzy), frequencies, count_only=True)
            return cast("int", count)
    except QueryCanceled:
        return None


def _is_full(rows: Sequence[_Row], query: SearchQuery) -> bool:
    """Return whether there are more matches than a page can have, including those that were left out for their size."""
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


def _scan_newest(connection: Connection, query: SearchQuery, start: SearchPosition, window: int) -> list[_Row]:
    """Scan that many of the newest messages, of all or of the chat. The result is either a full page or unusable."""
    condition: LiteralString = " AND ".join(search_terms.exact_conditions(query.words))
    sql = search_sql.build(condition, query, newest_only=True)
    parameters = search_terms.parameters_of(query.words)
    return cast("list[_Row]", _fetch(connection, sql, query, start, parameters, scan_window=window))


def _measure_frequencies(connection: Connection, query: SearchQuery) -> TermFrequencies:
    return search_terms.measure_frequencies(connection, query.words, in_chat=query.address is not None)


def _search_all(
    connection: Connection,
    query: SearchQuery,
    start: SearchPosition,
    frequencies: TermFrequencies,
    *,
    is_first_page: bool,
) -> tuple[list[_Row], bool]:
    """Search all messages. Also return whether similar words were searched."""
    if not start.fuzzy:
        rows = _run_all(connection, query, start, frequencies)
        if rows or not is_first_page or not any(search_terms.allows_typos(word) for word in query.words):
            return cast("list[_Row]", rows), False
    return cast("list[_Row]", _run_all(connection, query, replace(start, fuzzy=True), frequencies)), True


def _run_all(
    connection: Connection,
    query: SearchQuery,
    start: SearchPosition,
    frequencies: TermFrequencies,
    *,
    count_only: bool = False,
) -> list[tuple[object, ...]]:
    """Search all messages after a position for the words, or for similar words if `start.fuzzy` is set."""
    # Sessions that serve pages disable sorting, but the matches of the trigram index are not ordered.
    connection.execute(f"SELECT {pool.PLAN_FOR_VALUES}, {pool.SORT}")
    if start.fuzzy:
        condition, parameters = search_terms.similar_condition(query.words, frequencies.use_index)
    else:
        condition = " AND ".join(search_terms.exact_conditions(query.words, frequencies.use_index))
        parameters = search_terms.parameters_of(query.words)
    scan_chat = not any(frequencies.use_index)
    sort_matches = frequencies.has_rare_word
    sql = search_sql.build(condition, query, scan_chat=scan_chat, sort_matches=sort_matches, count_only=count_only)
    return _fetch(connection, sql, query, start, parameters)


def _fetch(  # noqa: PLR0913 - a query and its parameters
    connection: Connection,
    sql: LiteralString,
    query: SearchQuery,
    start: SearchPosition,
    word_parameters: dict[str, str],
    *,
    scan_window: int | None = None,
) -> list[tuple[object, ...]]:
    """Return the matches and how many there are, at most one page and one more. Large matches shorten the page."""
    return compile_query(sql).fetch_all(
        connection,
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
        # The plan depends on the frequency of the words, except that of a scan.
        prepare=None if scan_window else False,
    )
