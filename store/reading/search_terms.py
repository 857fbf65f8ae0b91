"""Builds the conditions of searched words, and decides for which words the trigram index is used."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import LiteralString, cast

from store.postgres import like
from store.postgres.connections import Connection

MAX_WORDS = 8
SCAN_WINDOW = 5_000
"""The newest messages, which are scanned first: a frequent word is found there at once."""
MIN_TRIGRAM_LENGTH = 3
"""Characters; a shorter word has no trigrams."""
_FREQUENT_THRESHOLD = SCAN_WINDOW // 200
"""The index does not help with a word that more of these messages contain, if another word is rarer."""
_RARE_THRESHOLD = 4
"""A word that no more of these messages contain is in some thousands of ten million, few enough to sort."""
_DIGITS: tuple[LiteralString, ...] = ("0", "1", "2", "3", "4", "5", "6", "7")


def _for_each_word(template: LiteralString) -> tuple[LiteralString, ...]:
    return tuple(template.replace("#", digit) for digit in _DIGITS[:MAX_WORDS])


LIKE_CONDITIONS = _for_each_word("s.text LIKE %(w#)s")
"""The conditions that a text contains word 0, word 1 and so on."""
_LIKE_WITHOUT_INDEX = _for_each_word("s.text || '' LIKE %(w#)s")
"""The same without the index, which would read all entries of a frequent word."""
_SIMILAR_CONDITIONS = _for_each_word("%(w#)s <%% s.text")
_SIMILAR_WITHOUT_INDEX = _for_each_word("%(w#)s <%% (s.text || '')")
SIMILARITIES = _for_each_word("word_similarity(%(plain#)s, s.text)")
"""How similar a text is to `plain0`, the whole of word 0, and so on."""
_FREQUENCIES: LiteralString = ", ".join(_for_each_word("count(*) FILTER (WHERE s.text LIKE %(w#)s)"))


def exact_condition(use_index: Sequence[bool]) -> LiteralString:
    """The condition that a text contains all words."""
    return " AND ".join((LIKE_CONDITIONS if indexed else _LIKE_WITHOUT_INDEX)[n] for n, indexed in enumerate(use_index))


def similar_condition(words: Sequence[str], use_index: Sequence[bool]) -> tuple[LiteralString, dict[str, str]]:
    """The condition that a text contains all words or similar ones, and its parameters."""
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
    """The frequencies of the searched words in the newest messages."""

    use_index: list[bool]
    """Whether to use the index for each word: of `please` and an order number, only for the number.

    If all words are frequent, for all of them; or for none if a chat can be scanned instead.
    """
    has_rare_word: bool
    """Whether a word is so rare that its matches are quickly sorted.

    PostgreSQL cannot estimate that: it assumes that such a word is in one of a hundred messages, and would scan all
    messages in order until a page is full.
    """


def measure_frequencies(connection: Connection, words: Sequence[str], *, in_chat: bool) -> TermFrequencies:
    """Count the words in the newest messages."""
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
    """The parameters of `LIKE_CONDITIONS`."""
    return {f"w{n}": like.containing(word) for n, word in enumerate(words)}


def allows_typos(word: str) -> bool:
    """Return whether similar words match as well."""
    return len(word) >= 4 and word.isalpha()
