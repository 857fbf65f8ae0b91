"""Finds messages by words, parts of words and numbers, newest first."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import LiteralString, cast

from psycopg.errors import QueryCanceled

from store.model import spelling
from store.postgres import pool
from store.postgres.compiled_query import compile_query
from store.postgres.connections import Connection
from store.reading.fragments.json_views import MAX_BIGINT, MAX_PAGE_BYTES
from store.reading.messages import found_page
from store.reading.messages.found_page import FoundRow
from store.reading.search import search_sql, search_terms
from store.reading.search.search_query import SearchPage, SearchPosition, SearchQuery
from store.reading.search.search_terms import TermFrequencies

_FIRST_SCAN_WINDOW = 200
"""The number of newest messages, of the chat or of all chats, to scan first. They fill the page for a very frequent
word.
"""
_STATEMENT_TIMEOUT = "2500ms"
_SIMILAR_SCAN_WINDOW = 2_000
"""The number of newest messages to scan for similar words. Comparing one takes some 10 µs."""
SIMILAR_TIMEOUT = "700ms"
MAX_COUNT = 1_000
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
    if query.until is not None and query.until <= start.timestamp:
        start = SearchPosition(query.until, 0, start.fuzzy)
    with connection.transaction():
        connection.execute(
            """
            SELECT set_config('statement_timeout', %s, true), set_config('pg_trgm.word_similarity_threshold', %s, true)
            """,
            [_STATEMENT_TIMEOUT, _WORD_SIMILARITY],
        )
        # The index is checked before the search, because messages that are indexed in between were not searched.
        is_complete = _is_index_complete(connection)
        fuzzy = start.fuzzy
        rows: list[FoundRow] = [] if fuzzy else _scan_newest(connection, query, start, _FIRST_SCAN_WINDOW)
        frequencies: TermFrequencies | None = None
        if not _exceeds_limit(rows, query):
            frequencies = _measure_frequencies(connection, query)
            window = search_terms.SCAN_WINDOW if query.address else frequencies.scan_window(query.limit + 1)
            if window and not fuzzy:
                rows = _scan_newest(connection, query, start, window)
            if not _exceeds_limit(rows, query):
                rows, fuzzy = _search_all(connection, query, start, frequencies, is_first_page=after is None)
        page = rows[: query.limit]
        next_position = None
        if page and page[-1].candidates > len(page):
            next_position = SearchPosition(page[-1].timestamp, page[-1].id, fuzzy)
        is_all = after is None and next_position is None
        count = len(page) if is_all else _count(connection, query, frequencies, fuzzy=fuzzy) if query.count else None
    # The page is read after the transaction, in which plans depend on the words.
    return SearchPage(found_page.read(connection, page), next_position, fuzzy and bool(page), is_complete, count)


def _count(
    connection: Connection, query: SearchQuery, frequencies: TermFrequencies | None, *, fuzzy: bool
) -> int | None:
    """Return the number of matches, at most MAX_COUNT, or None if counting takes too long."""
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [_COUNT_TIMEOUT])
            whole = replace(query, limit=MAX_COUNT - 1)
            frequencies = frequencies or _measure_frequencies(connection, query)
            ((count,),) = _run_all(connection, whole, replace(_AFTER_LAST, fuzzy=fuzzy), frequencies, count_only=True)
            return cast("int", count)
    except QueryCanceled:
        return None


def _exceeds_limit(rows: Sequence[FoundRow], query: SearchQuery) -> bool:
    """Return whether there are more matches than a page can have, including those that were left out for their size."""
    return bool(rows) and rows[0].candidates > query.limit


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


def _scan_newest(connection: Connection, query: SearchQuery, start: SearchPosition, window: int) -> list[FoundRow]:
    """Search only the newest messages of the chat or of all chats, `window` of them.

    Older messages can also match, unless the page is full.
    """
    if start.fuzzy:
        condition, parameters = search_terms.similar_condition(query.words, [False] * len(query.words))
    else:
        condition = " AND ".join(search_terms.exact_conditions(query.words))
        parameters = search_terms.parameters_of(query.words)
    sql = search_sql.build(condition, query, newest_only=True)
    return _found(_fetch(connection, sql, query, start, parameters, scan_window=window))


def _measure_frequencies(connection: Connection, query: SearchQuery) -> TermFrequencies:
    return search_terms.measure_frequencies(connection, query.words, in_chat=query.address is not None)


def _search_all(
    connection: Connection,
    query: SearchQuery,
    start: SearchPosition,
    frequencies: TermFrequencies,
    *,
    is_first_page: bool,
) -> tuple[list[FoundRow], bool]:
    """Search all messages. Also return whether similar words were searched."""
    if not start.fuzzy:
        rows = _run_all(connection, query, start, frequencies)
        if rows or not is_first_page or not any(search_terms.allows_typos(word) for word in query.words):
            return _found(rows), False
    return _search_similar(
        connection, query, replace(start, fuzzy=True), frequencies, is_first_page=is_first_page
    ), True


def _search_similar(
    connection: Connection,
    query: SearchQuery,
    start: SearchPosition,
    frequencies: TermFrequencies,
    *,
    is_first_page: bool,
) -> list[FoundRow]:
    """Search for similar words in the newest messages, where a frequent word is found, and then in all messages.

    A word with frequent trigrams is similar to very many words. If the search for the first page takes too long, the
    page contains only the matches among the newest messages, because the reader did not ask for similar words.
    """
    newest = _scan_newest(connection, query, start, _SIMILAR_SCAN_WINDOW)
    if _exceeds_limit(newest, query):
        return newest
    if not is_first_page:
        return _found(_run_all(connection, query, start, frequencies))
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [SIMILAR_TIMEOUT])
            return _found(_run_all(connection, query, start, frequencies))
    except QueryCanceled:
        return newest


def _found(rows: Sequence[tuple[object, ...]]) -> list[FoundRow]:
    return [FoundRow(*row) for row in cast("Sequence[tuple[int, int, int, int]]", rows)]


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
