"""Finds messages by words, parts of words and numbers, newest first."""

import re
from dataclasses import dataclass
from typing import LiteralString, cast

from store.postgres.connections import Connection
from store.reading import search_terms
from store.reading.chat_scope import MEMBERS_CTE
from store.reading.json_views import MESSAGE_JSON

_MAX_BIGINT = 2**63 - 1
_CHAT_SCAN_WINDOW = 200
"""Of one chat, the newest messages that are read before any others: a page of what is often said in it."""
_STATEMENT_TIMEOUT = "2500ms"
_WORD_SIMILARITY = "0.35"
"""How much of a word's trigrams must agree where a typing error is allowed for: `recieve` has 0.375 of `receive`."""
_NUMBER_PATTERN = re.compile(r"\+?\(?[0-9]+(?:[ ().\u00a0\u2010-\u2015/-]+[0-9]+)+")
_CJK_CHARACTER = re.compile("[\u2e80-\u2fdf\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_EMOJI_CHARACTER = re.compile("[\u2190-\u2bff\U0001f000-\U0001faff]")
_INVISIBLE_CHARACTER = re.compile("[\ufe0e\ufe0f\u200b-\u200f]")


@dataclass(frozen=True, slots=True)
class SearchPosition:
    timestamp: int
    id: int
    fuzzy: bool
    """Whether the pages so far allowed for typing errors."""


_AFTER_LAST = SearchPosition(_MAX_BIGINT, _MAX_BIGINT, fuzzy=False)


@dataclass(frozen=True, slots=True)
class SearchQuery:
    words: tuple[str, ...]
    """As `words_of` gives them; not empty."""
    limit: int
    sessions: tuple[str, ...] | None = None
    address: str | None = None
    direction: str | None = None
    type: str | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    message: str
    """JSON"""
    chat_name: str | None
    """What the chat is called."""
    matched_text: str
    """In which the words were found."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    hits: tuple[SearchHit, ...]
    next_position: SearchPosition | None
    fuzzy: bool
    index_complete: bool
    """False while messages wait to be made searchable."""


def tokenize(connection: Connection, text: str) -> tuple[str, ...]:
    """What has to occur, in the spelling of what is kept (store/migrations/0008_search.sql)."""
    row = connection.execute("SELECT search_normalized(%s)", [text]).fetchone()
    plain = _INVISIBLE_CHARACTER.sub("", cast("str", row[0]) if row else "")
    numbers = [re.sub("[^0-9]", "", number) for number in _NUMBER_PATTERN.findall(plain)]
    rest = _NUMBER_PATTERN.sub(" ", plain)
    emoji = [f"emoji{ord(one)}x" for one in _EMOJI_CHARACTER.findall(rest)]
    words = [
        re.sub(" +", " ", _CJK_CHARACTER.sub(lambda one: f" {one[0]} ", word)).strip()
        for word in _EMOJI_CHARACTER.sub(" ", rest).split()
    ]
    # `+91…` in one piece is a number, too.
    words = [word.lstrip("+") if word.lstrip("+").isdigit() else word for word in words]
    # In writing without words, neighbours stand two spaces apart.
    words = [word.replace(" ", "  ") for word in words]
    return tuple(dict.fromkeys(word for word in [*numbers, *words, *emoji] if word))


def _search_sql(
    conditions: LiteralString,
    query: SearchQuery,
    *,
    newest_only: bool,
    scan_chat: bool = False,
    sort_matches: bool = False,
) -> LiteralString:
    """`by_chat`: what is in the chat is looked through for the words, instead of what has the words for the chat.

    `rare`: what has the words is found first and sorted then, whatever PostgreSQL thinks.
    """
    place: LiteralString = "true"
    if query.address is not None:
        place = "s.chat_id = ANY(ARRAY(SELECT x.chat_id FROM members AS x))"
        place = place if scan_chat else "s.chat_id + 0 = ANY(ARRAY(SELECT x.chat_id FROM members AS x))"
    source: LiteralString = "search_index"
    if sort_matches and not scan_chat:
        source = f"(SELECT s.* FROM search_index AS s WHERE {conditions} OFFSET 0)"  # noqa: S608 - as below
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
        SELECT s.timestamp, s.id, {MESSAGE_JSON}, canonical.name, concat_ws(' ', m.message_text, m.caption, m.file_name)
        FROM (
            SELECT s.timestamp, s.id
            FROM {source} AS s
            WHERE {conditions} AND {place}
                AND (s.timestamp, s.id) < (%(timestamp)s, %(id)s)
                AND s.timestamp >= %(since)s AND s.timestamp < %(until)s
                AND (%(sessions)s::text[] IS NULL OR s.session_id = ANY(%(sessions)s))
                AND (%(direction)s::text IS NULL OR s.direction = %(direction)s)
                AND (%(type)s::text IS NULL OR s.message_type = %(type)s)
            ORDER BY s.timestamp DESC, s.id DESC
            OFFSET 0
        ) AS s
        CROSS JOIN LATERAL (
            -- All columns: what is shown of a message is not this query's business.
            SELECT x.*
            FROM whatsapp_messages AS x
            WHERE x.id = s.id AND NOT x.is_duplicate AND x.deleted_at IS NULL
            LIMIT 1
        ) AS m
        CROSS JOIN LATERAL (
            SELECT canonical.chat_id, canonical.address, canonical.name
            FROM chats AS place
            JOIN chats AS canonical ON canonical.chat_id = place.canonical_chat_id
            WHERE place.chat_id = m.chat_id
            LIMIT 1
        ) AS canonical
        ORDER BY s.timestamp DESC, s.id DESC
        LIMIT %(limit)s
    """  # noqa: S608


def find(connection: Connection, wanted: SearchQuery, after: SearchPosition | None) -> SearchPage:
    """A page of results; raises TransientError with sqlstate 57014 if the words are too common."""
    with connection.transaction():
        connection.execute(
            """
            SELECT set_config('statement_timeout', %s, true), set_config('pg_trgm.word_similarity_threshold', %s, true)
            """,
            [_STATEMENT_TIMEOUT, _WORD_SIMILARITY],
        )
        # Asked first: what becomes searchable between the two questions must not count as looked through.
        complete = connection.execute(
            """
            SELECT NOT EXISTS (
                SELECT FROM changes AS c
                WHERE (c.xid, c.change_id) > (u.xid, u.change_id) AND c.kind IN ('message', 'edit', 'delete')
            )
            FROM search_index_position AS u
            """
        ).fetchone()
        start = after or _AFTER_LAST
        fuzzy = start.fuzzy
        rows: list[tuple[object, ...]] = []
        in_chat = wanted.address is not None
        if not fuzzy:
            patterns = search_terms.like_parameters(wanted.words)
            exact: LiteralString = " AND ".join(search_terms.LIKE_CONDITIONS[: len(wanted.words)])
            for window in (_CHAT_SCAN_WINDOW, search_terms.SCAN_WINDOW) if in_chat else (search_terms.SCAN_WINDOW,):
                if len(rows) <= wanted.limit:
                    rows = _fetch(
                        connection, _search_sql(exact, wanted, newest_only=True), wanted, start, patterns, window
                    )
        if fuzzy or len(rows) <= wanted.limit:
            telling = search_terms.measure_frequencies(connection, wanted.words, in_chat=in_chat)
            by_chat = not any(telling.use_index)
            # Pages are read in an index's order, but what trigrams find has none: it has to be sorted.
            connection.execute("SELECT set_config('enable_sort', 'on', true)")
            if not fuzzy:
                query = _search_sql(
                    search_terms.exact_condition(telling.use_index),
                    wanted,
                    newest_only=False,
                    scan_chat=by_chat,
                    sort_matches=telling.has_rare_word,
                )
                rows = _fetch(connection, query, wanted, start, search_terms.like_parameters(wanted.words))
            if fuzzy or (not rows and after is None and any(search_terms.allows_typos(word) for word in wanted.words)):
                fuzzy = True
                similar, values = search_terms.similar_condition(wanted.words, telling.use_index)
                query = _search_sql(
                    similar, wanted, newest_only=False, scan_chat=by_chat, sort_matches=telling.has_rare_word
                )
                rows = _fetch(connection, query, wanted, start, values)
    page = rows[: wanted.limit]
    last = (
        SearchPosition(cast("int", page[-1][0]), cast("int", page[-1][1]), fuzzy) if len(rows) > wanted.limit else None
    )
    return SearchPage(
        tuple(SearchHit(cast("str", row[2]), cast("str | None", row[3]), cast("str", row[4])) for row in page),
        last,
        fuzzy and bool(page),
        complete == (True,),
    )


def _fetch(  # noqa: PLR0913, PLR0917 - a query and what it is about
    connection: Connection,
    sql: LiteralString,
    query: SearchQuery,
    start: SearchPosition,
    word_parameters: dict[str, str],
    scan_window: int = 0,
) -> list[tuple[object, ...]]:
    return connection.execute(
        sql,
        {
            **word_parameters,
            "timestamp": start.timestamp,
            "id": start.id,
            "window": scan_window,
            "sessions": None if query.sessions is None else list(query.sessions),
            "address": query.address,
            "direction": query.direction,
            "type": query.type,
            "since": 0 if query.since is None else query.since,
            "until": _MAX_BIGINT if query.until is None else query.until,
            "versions": False,
            "limit": query.limit + 1,
        },
        # The plan depends on how common the words are.
        prepare=False,
    ).fetchall()
