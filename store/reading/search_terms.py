"""Builds the conditions for the searched words, and decides for which of them to use the trigram index."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import LiteralString, cast

from store.postgres import like
from store.postgres.connections import Connection

MAX_WORDS = 8
SCAN_WINDOW = 5_000
"""The number of newest messages to scan first, because a frequent word is found there at once."""
MIN_TRIGRAM_LENGTH = 3
"""In characters. A shorter word has no trigrams."""
_FREQUENT_THRESHOLD = SCAN_WINDOW // 200
"""The index is not used for a word that occurs in more of the newest messages than this, if another word is rarer."""
_RARE_THRESHOLD = 4
"""A word that occurs in at most this many of the newest messages has some thousands of matches in ten million, few
enough to sort.
"""
_DIGITS: tuple[LiteralString, ...] = ("0", "1", "2", "3", "4", "5", "6", "7")


def _for_each_word(template: LiteralString) -> tuple[LiteralString, ...]:
    return tuple(template.replace("#", digit) for digit in _DIGITS[:MAX_WORDS])


LIKE_CONDITIONS = _for_each_word("s.text LIKE %(w#)s")
"""One condition per word, that the text contains it."""
_LIKE_WITHOUT_INDEX = _for_each_word("s.text || '' LIKE %(w#)s")
"""The same conditions written so that PostgreSQL does not use the index, which would read all entries of a frequent
word.
"""
_SIMILAR_CONDITIONS = _for_each_word("%(w#)s <%% s.text")
_SIMILAR_WITHOUT_INDEX = _for_each_word("%(w#)s <%% (s.text || '')")
SIMILARITIES = _for_each_word("word_similarity(%(plain#)s, s.text)")
"""One expression per word: the similarity of the text and the word, the parameter `plain0` and so on."""
_FREQUENCIES: LiteralString = ", ".join(_for_each_word("count(*) FILTER (WHERE s.text LIKE %(w#)s)"))


def exact_condition(use_index: Sequence[bool]) -> LiteralString:
    """Return the condition that a text contains all words."""
    return " AND ".join((LIKE_CONDITIONS if indexed else _LIKE_WITHOUT_INDEX)[n] for n, indexed in enumerate(use_index))


def similar_condition(words: Sequence[str], use_index: Sequence[bool]) -> tuple[LiteralString, dict[str, str]]:
    """Return the condition that a text contains all words or similar ones, and its parameters."""
    parameters: dict[str, str] = {}
    conditions: list[LiteralString] = []
    for n, (word, indexed) in enumerate(zip(words, use_index, strict=True)):
        if allows_typos(word):
            parameters[f"w{n}"] = word
            conditions.append((_SIMILAR_CONDITIONS if indexed else _SIMILAR_WITHOUT_INDEX)[n])
        else:
            parameters[f"w{n}"] = like.containing(word)
            conditions.append((LIKE_CONDITIONS if indexed else _LIKE_WITHOUT_INDEX)[n])
    return " AND ".join(conditions), parameters


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


def measure_frequencies(connection: Connection, words: Sequence[str], *, in_chat: bool) -> TermFrequencies:
    """Count the occurrences of the words in the newest messages."""
    row = connection.execute(
        f"""
        SELECT {_FREQUENCIES}
        FROM (SELECT s.text FROM search_index AS s ORDER BY s.timestamp DESC, s.id DESC LIMIT %(window)s) AS s
        """,  # noqa: S608 - assembled from literals only, which the type proves
        {**{f"w{n}": None for n in range(MAX_WORDS)}, **like_parameters(words), "window": SCAN_WINDOW},
    ).fetchone()
    assert row is not None, "an aggregate has a row"
    counts = [
        cast("int", count) if len(word) >= MIN_TRIGRAM_LENGTH else SCAN_WINDOW
        for word, count in zip(words, row, strict=False)
    ]
    use_index = [count <= _FREQUENT_THRESHOLD for count in counts]
    has_rare_word = min(counts) <= _RARE_THRESHOLD
    return TermFrequencies(use_index if any(use_index) or in_chat else [True] * len(words), has_rare_word)


def like_parameters(words: Iterable[str]) -> dict[str, str]:
    """Return the parameters of `LIKE_CONDITIONS`."""
    return {f"w{n}": like.containing(word) for n, word in enumerate(words)}


def allows_typos(word: str) -> bool:
    """Return whether words similar to this one also match."""
    return len(word) >= 4 and word.isalpha()
