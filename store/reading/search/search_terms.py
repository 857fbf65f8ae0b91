"""Builds the conditions for the searched words, and decides for which of them to use the trigram index."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import LiteralString, cast

from store.postgres import like
from store.postgres.connections import Connection
from store.search_index import search_document

MAX_WORDS = 8
SCAN_WINDOW = 5_000
"""The number of newest messages in which the words are counted."""
_MAX_SCAN_WINDOW = 255_000
"""The greatest number of messages to scan. A scan takes about 70 ms, and half of it usually fills the page. Among ten
million messages, the index takes longer for a word that fills a page from them.
"""
_MIN_SCANNED_MATCHES = 2
"""The least number of matches in the newest messages from which to estimate their frequency."""
_FREQUENT_THRESHOLD = SCAN_WINDOW // 200
"""The number of newest messages that contain a word, above which the index is not used for it if another word is rarer.
"""
_RARE_THRESHOLD = 4
"""The greatest number of newest messages that contain a rare word. Ten million messages contain such a word some
thousand times, few enough to sort.
"""
_BEFORE_WORDS = r"""(^|[ "'(\[/.,:#*_~-])"""
"""A regular expression for the characters before a word in a document. It lists them, because pg_trgm cannot find
trigrams in it otherwise. For LIKE, pg_trgm would also look up the first letter alone, which is too frequent.
"""
_DIGITS: tuple[LiteralString, ...] = ("0", "1", "2", "3", "4", "5", "6", "7")
"""The ends of the names of parameters, one for each word."""


def indexable(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that are long enough for the trigram indexes, at most MAX_WORDS."""
    return tuple(word for word in words if len(word) >= search_document.MIN_TRIGRAM_LENGTH)[:MAX_WORDS]


def exact_conditions(words: Sequence[str], use_index: Sequence[bool] | None = None) -> list[LiteralString]:
    """Return for each word the condition that a text contains it. The index can be used for all words by default."""
    return [_exact_condition(n, word, indexed=use_index is None or use_index[n]) for n, word in enumerate(words)]


def _exact_condition(n: int, word: str, *, indexed: bool) -> LiteralString:
    digit, text = _DIGITS[n], _searched_text(indexed=indexed)
    if search_document.begins_words_only(word):
        return f"({_searched_text(indexed=False)} LIKE %(w{digit})s AND {text} ~ %(b{digit})s)"
    return f"{text} LIKE %(w{digit})s"


def _searched_text(*, indexed: bool) -> LiteralString:
    """Return the searched text, either so that PostgreSQL can use the index or so that it cannot.

    The index would read all entries of a frequent word.
    """
    return "s.text" if indexed else "(s.text || '')"


def similar_condition(words: Sequence[str], use_index: Sequence[bool]) -> tuple[LiteralString, dict[str, str]]:
    """Return the condition that a text contains all words or similar ones, and its parameters."""
    parameters: dict[str, str] = {}
    conditions: list[LiteralString] = []
    for n, (word, indexed) in enumerate(zip(words, use_index, strict=True)):
        if allows_typos(word):
            parameters[f"w{n}"] = word
            conditions.append(f"%(w{_DIGITS[n]})s <%% {_searched_text(indexed=indexed)}")
        else:
            parameters |= _word_parameters(n, word)
            conditions.append(_exact_condition(n, word, indexed=indexed))
    return " AND ".join(conditions), parameters


def similarity(words: Sequence[str]) -> tuple[LiteralString, dict[str, str]]:
    """Return the expression for the sum of the similarities of a text and each word, and its parameters."""
    terms: list[LiteralString] = [f"word_similarity(%(s{digit})s, s.text)" for digit in _DIGITS[: len(words)]]
    return " + ".join(terms), {f"s{n}": word for n, word in enumerate(words)}


@dataclass(frozen=True, slots=True)
class TermFrequencies:
    """The frequency of each searched word in the newest messages."""

    use_index: list[bool]
    """True for each word for which to use the index; of `please` and an order number, only for the number.

    If all words are frequent, it is true for all of them, or for none if a chat can be scanned instead.
    """
    has_rare_word: bool
    """True if a word is so rare that its matches are quickly sorted.

    PostgreSQL cannot estimate this. It assumes that such a word occurs in one of a hundred messages, and would scan all
    messages in order until the page is full.
    """
    matches: int
    """The number of the newest messages that contain all words."""

    def scan_window(self, match_count: int) -> int:
        """Return the number of newest messages with about twice as many matches, or 0 if a scan takes too long."""
        if self.matches < _MIN_SCANNED_MATCHES:
            return 0
        window = 2 * match_count * SCAN_WINDOW // self.matches
        return window if window <= _MAX_SCAN_WINDOW else 0


def measure_frequencies(connection: Connection, words: Sequence[str], *, in_chat: bool) -> TermFrequencies:
    """Count the occurrences of the words in the newest messages."""
    conditions = exact_conditions(words)
    counted: LiteralString = ", ".join(
        f"count(*) FILTER (WHERE {condition})" for condition in (*conditions, " AND ".join(conditions))
    )
    row = connection.execute(
        f"""
        SELECT {counted}
        FROM (SELECT s.text FROM search_index AS s ORDER BY s.timestamp DESC, s.id DESC LIMIT %(window)s) AS s
        """,
        {**parameters_of(words), "window": SCAN_WINDOW},
    ).fetchone()
    assert row is not None, "an aggregate has a row"
    *counts, matches = cast("tuple[int, ...]", row)
    use_index = [count <= _FREQUENT_THRESHOLD for count in counts]
    has_rare_word = min(counts) <= _RARE_THRESHOLD
    return TermFrequencies(use_index if any(use_index) or in_chat else [True] * len(words), has_rare_word, matches)


def parameters_of(words: Iterable[str]) -> dict[str, str]:
    """Return the parameters of `exact_conditions`."""
    return {name: value for n, word in enumerate(words) for name, value in _word_parameters(n, word).items()}


def _word_parameters(n: int, word: str) -> dict[str, str]:
    parameters: dict[str, str] = {f"w{n}": like.containing(search_document.spaced(word))}
    if search_document.begins_words_only(word):
        parameters[f"b{n}"] = _BEFORE_WORDS + re.escape(word)
    return parameters


def allows_typos(word: str) -> bool:
    """Return whether words similar to this one also match."""
    return len(word) >= 4 and word.isalpha()
