"""Finds chats by misspelt names."""

import difflib
from dataclasses import replace
from typing import LiteralString, cast

from store.postgres import pool
from store.postgres.connections import Connection
from store.reading.chats import chat_list
from store.reading.chats.chat_list import BEFORE_FIRST, ChatFilter, ChatListPage, Order
from store.reading.search import search_terms
from store.search_index import search_document

_WORD_SIMILARITIES = ("0.5", "0.2")
"""The shares of a word's trigrams that a name must contain, tried in turn. The second one finds `priya` for `pirya`."""
_MAX_CANDIDATES = 2_000
"""The greatest number of names to compare. A comparison takes microseconds."""
_MAX_COMPARED = 50
"""The number of most similar names whose words are compared."""
_MIN_RATIO = 0.7
"""The least ratio of difflib. `pirya` has 0.8 with `priya` and 0.55 with `pandya`, which shares as many trigrams."""
_MOST_SIMILAR_FIRST: Order = "c.last_timestamp", "<", "candidate.similarity DESC, c.last_timestamp DESC"


def find(connection: Connection, chat_filter: ChatFilter, limit: int) -> ChatListPage:
    """Return the chats with the most similar names, at most `limit`. No page follows."""
    words = search_terms.indexable(search_document.split_query(chat_filter.search_text or ""))
    if not any(map(search_terms.allows_typos, words)):
        return ChatListPage((), None, None)
    found: list[int] = []
    with connection.transaction():
        # Connections that read pages disable sorting. Similar names come in no order, so it is enabled here.
        connection.execute(f"SELECT {pool.PLAN_FOR_VALUES}, {pool.SORT}")
        for similarity in _WORD_SIMILARITIES:
            found = _find(connection, chat_filter, words, similarity)
            if found:
                break
    views = chat_list.read(connection, found[:limit])
    return ChatListPage(views, None, None, fuzzy=bool(views))


def _find(connection: Connection, chat_filter: ChatFilter, words: tuple[str, ...], similarity: str) -> list[int]:
    """Return the ids of chats, most similar first."""
    connection.execute("SELECT set_config('pg_trgm.word_similarity_threshold', %s, true)", [similarity])
    condition, parameters = search_terms.similar_condition(words, [True] * len(words))
    total_similarity, similarity_parameters = search_terms.similarity(words)
    candidates: LiteralString = f"""
        SELECT s.chat_id, {total_similarity} AS similarity
        FROM (SELECT s.chat_id, s.text FROM chat_names AS s WHERE {condition} LIMIT %(candidates)s) AS s
    """
    query = chat_list.page_query(
        replace(chat_filter, search_text=None), _MOST_SIMILAR_FIRST, "candidates", candidates, names_only=True
    )
    values: dict[str, object] = {
        **parameters,
        **similarity_parameters,
        **chat_list.page_parameters(chat_filter, BEFORE_FIRST, _MAX_COMPARED),
        "candidates": _MAX_CANDIDATES,
    }
    rows = cast("list[tuple[int, int, str | None]]", connection.execute(query, values, prepare=False).fetchall())
    return [chat_id for _, chat_id, name in rows if _is_similar(name or "", words)]


def _is_similar(name: str, words: tuple[str, ...]) -> bool:
    """Return whether the name contains a similar word for each of these words."""
    written = search_document.build_name(name).split()
    return all(any(word in each or _may_have_typos(word, each[: len(word) + 1]) for each in written) for word in words)


def _may_have_typos(word: str, written: str) -> bool:
    return search_terms.allows_typos(word) and difflib.SequenceMatcher(None, word, written).ratio() >= _MIN_RATIO
