"""Finds messages by words, parts of words and numbers, newest first."""

import re
from dataclasses import dataclass
from typing import LiteralString, cast

from store.postgres.connections import Connection
from store.reading import search_terms
from store.reading.chat_scope import MEMBERS
from store.reading.json_views import MESSAGE

_MAX = 2**63 - 1
_FEW = 200
"""Of one chat, the newest messages that are read before any others: a page of what is often said in it."""
_TIMEOUT = "2500ms"
_SIMILARITY = "0.35"
"""How much of a word's trigrams must agree where a typing error is allowed for: `recieve` has 0.375 of `receive`."""
_NUMBER = re.compile(r"\+?\(?[0-9]+(?:[ ().\u00a0\u2010-\u2015/-]+[0-9]+)+")
_ALONE = re.compile("[\u2e80-\u2fdf\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_EMOJI = re.compile("[\u2190-\u2bff\U0001f000-\U0001faff]")
_INVISIBLE = re.compile("[\ufe0e\ufe0f\u200b-\u200f]")


@dataclass(frozen=True, slots=True)
class Position:
    timestamp: int
    id: int
    fuzzy: bool
    """Whether the pages so far allowed for typing errors."""


_NEWEST = Position(_MAX, _MAX, fuzzy=False)


@dataclass(frozen=True, slots=True)
class Wanted:
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
class Found:
    message: str
    """JSON"""
    name: str | None
    """What the chat is called."""
    text: str
    """In which the words were found."""


@dataclass(frozen=True, slots=True)
class Page:
    results: tuple[Found, ...]
    after: Position | None
    fuzzy: bool
    complete: bool
    """False while messages wait to be made searchable."""


def words_of(connection: Connection, q: str) -> tuple[str, ...]:
    """What has to occur, in the spelling of what is kept (store/migrations/0011_search.sql)."""
    row = connection.execute("SELECT search_plain(%s)", [q]).fetchone()
    plain = _INVISIBLE.sub("", cast("str", row[0]) if row else "")
    numbers = [re.sub("[^0-9]", "", number) for number in _NUMBER.findall(plain)]
    rest = _NUMBER.sub(" ", plain)
    emoji = [f"emoji{ord(one)}x" for one in _EMOJI.findall(rest)]
    words = [
        re.sub(" +", " ", _ALONE.sub(lambda one: f" {one[0]} ", word)).strip() for word in _EMOJI.sub(" ", rest).split()
    ]
    # `+91…` in one piece is a number, too.
    words = [word.lstrip("+") if word.lstrip("+").isdigit() else word for word in words]
    # In writing without words, neighbours stand two spaces apart.
    words = [word.replace(" ", "  ") for word in words]
    return tuple(dict.fromkeys(word for word in [*numbers, *words, *emoji] if word))


def _query(
    conditions: LiteralString, wanted: Wanted, *, window: bool, by_chat: bool = False, rare: bool = False
) -> LiteralString:
    """`by_chat`: what is in the chat is looked through for the words, instead of what has the words for the chat.

    `rare`: what has the words is found first and sorted then, whatever PostgreSQL thinks.
    """
    place: LiteralString = "true"
    if wanted.address is not None:
        place = "s.chat_id = ANY(ARRAY(SELECT x.chat_id FROM members AS x))"
        place = place if by_chat else "s.chat_id + 0 = ANY(ARRAY(SELECT x.chat_id FROM members AS x))"
    source: LiteralString = "searchable"
    if rare and not by_chat:
        source = f"(SELECT s.* FROM searchable AS s WHERE {conditions} OFFSET 0)"  # noqa: S608 - as below
    if window:
        newest: LiteralString = """
            SELECT s.id, s.chat_id, s.session_id, s.direction, s.message_type, s.timestamp, s.text
            FROM searchable AS s
            WHERE (s.timestamp, s.id) < (%(timestamp)s, %(id)s)
        """
        end: LiteralString = "ORDER BY s.timestamp DESC, s.id DESC LIMIT %(window)s"
        source = f"({newest} {end})"
        if wanted.address is not None:
            source = f"""(
                SELECT s.*
                FROM members AS x
                CROSS JOIN LATERAL ({newest} AND s.chat_id = x.chat_id {end}) AS s
                {end}
            )"""  # noqa: S608 - assembled from literals only, which the type proves
    # S608: assembled from literals only, which the type proves.
    return f"""
        WITH {MEMBERS}
        SELECT s.timestamp, s.id, {MESSAGE}, head.name, concat_ws(' ', m.message_text, m.caption, m.file_name)
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
            WHERE x.id = s.id AND NOT x.collapsed AND x.deleted_at IS NULL
            LIMIT 1
        ) AS m
        CROSS JOIN LATERAL (
            SELECT head.chat_id, head.address, head.name
            FROM chats AS place
            JOIN chats AS head ON head.chat_id = coalesce(place.merged_into, place.chat_id)
            WHERE place.chat_id = m.chat_id
            LIMIT 1
        ) AS head
        ORDER BY s.timestamp DESC, s.id DESC
        LIMIT %(limit)s
    """  # noqa: S608


def find(connection: Connection, wanted: Wanted, after: Position | None) -> Page:
    """A page of results; raises TransientError with sqlstate 57014 if the words are too common."""
    with connection.transaction():
        connection.execute(
            """
            SELECT set_config('statement_timeout', %s, true), set_config('pg_trgm.word_similarity_threshold', %s, true)
            """,
            [_TIMEOUT, _SIMILARITY],
        )
        # Asked first: what becomes searchable between the two questions must not count as looked through.
        complete = connection.execute(
            """
            SELECT NOT EXISTS (
                SELECT FROM changes AS c
                WHERE (c.xid, c.change_id) > (u.xid, u.change_id) AND c.kind IN ('message', 'edit', 'delete')
            )
            FROM searchable_upto AS u
            """
        ).fetchone()
        start = after or _NEWEST
        fuzzy = start.fuzzy
        rows: list[tuple[object, ...]] = []
        in_chat = wanted.address is not None
        if not fuzzy:
            patterns = search_terms.patterns_of(wanted.words)
            exact: LiteralString = " AND ".join(search_terms.LIKE[: len(wanted.words)])
            for window in (_FEW, search_terms.WINDOW) if in_chat else (search_terms.WINDOW,):
                if len(rows) <= wanted.limit:
                    rows = _ask(connection, _query(exact, wanted, window=True), wanted, start, patterns, window)
        if fuzzy or len(rows) <= wanted.limit:
            telling = search_terms.telling(connection, wanted.words, in_chat=in_chat)
            by_chat = not any(telling.words)
            # Pages are read in an index's order, but what trigrams find has none: it has to be sorted.
            connection.execute("SELECT set_config('enable_sort', 'on', true)")
            if not fuzzy:
                query = _query(
                    search_terms.exact(telling.words), wanted, window=False, by_chat=by_chat, rare=telling.rare
                )
                rows = _ask(connection, query, wanted, start, search_terms.patterns_of(wanted.words))
            if fuzzy or (
                not rows and after is None and any(search_terms.can_be_misspelt(word) for word in wanted.words)
            ):
                fuzzy = True
                similar, values = search_terms.similar(wanted.words, telling.words)
                query = _query(similar, wanted, window=False, by_chat=by_chat, rare=telling.rare)
                rows = _ask(connection, query, wanted, start, values)
    page = rows[: wanted.limit]
    last = Position(cast("int", page[-1][0]), cast("int", page[-1][1]), fuzzy) if len(rows) > wanted.limit else None
    return Page(
        tuple(Found(cast("str", row[2]), cast("str | None", row[3]), cast("str", row[4])) for row in page),
        last,
        fuzzy and bool(page),
        complete == (True,),
    )


def _ask(  # noqa: PLR0913, PLR0917 - a query and what it is about
    connection: Connection,
    query: LiteralString,
    wanted: Wanted,
    start: Position,
    words: dict[str, str],
    window: int = 0,
) -> list[tuple[object, ...]]:
    return connection.execute(
        query,
        {
            **words,
            "timestamp": start.timestamp,
            "id": start.id,
            "window": window,
            "sessions": None if wanted.sessions is None else list(wanted.sessions),
            "address": wanted.address,
            "direction": wanted.direction,
            "type": wanted.type,
            "since": 0 if wanted.since is None else wanted.since,
            "until": _MAX if wanted.until is None else wanted.until,
            "versions": False,
            "limit": wanted.limit + 1,
        },
        # The plan depends on how common the words are.
        prepare=False,
    ).fetchall()
