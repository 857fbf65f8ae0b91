"""Conditions on what is searched: words that a text must have, and which of them the index is asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import LiteralString, cast

from store.postgres import like
from store.postgres.connections import Connection

MAX_WORDS = 8
SCAN_WINDOW = 5_000
"""The newest messages that are read one by one first: what everybody says is found there, and quickly."""
MIN_TRIGRAM_LENGTH = 3
"""Characters; what is shorter has no trigrams."""
_FREQUENT_THRESHOLD = SCAN_WINDOW // 200
"""A word that more of these messages have is no help in finding those that also have another, rarer word."""
_RARE_THRESHOLD = 4
"""A word that no more of these messages have is in some thousands of ten million, which are sorted in no time."""
LIKE_CONDITIONS: tuple[LiteralString, ...] = (
    "s.text LIKE %(w0)s", "s.text LIKE %(w1)s", "s.text LIKE %(w2)s", "s.text LIKE %(w3)s",
    "s.text LIKE %(w4)s", "s.text LIKE %(w5)s", "s.text LIKE %(w6)s", "s.text LIKE %(w7)s",
)  # fmt: skip
"""That the words are in a text `s.text`, as parameters `w0` and so on."""
_LIKE_WITHOUT_INDEX: tuple[LiteralString, ...] = (
    "s.text || '' LIKE %(w0)s", "s.text || '' LIKE %(w1)s", "s.text || '' LIKE %(w2)s", "s.text || '' LIKE %(w3)s",
    "s.text || '' LIKE %(w4)s", "s.text || '' LIKE %(w5)s", "s.text || '' LIKE %(w6)s", "s.text || '' LIKE %(w7)s",
)  # fmt: skip
"""The same for words that the index is not to be asked for: it would read all there is about them."""
_SIMILAR_CONDITIONS: tuple[LiteralString, ...] = (
    "%(w0)s <%% s.text", "%(w1)s <%% s.text", "%(w2)s <%% s.text", "%(w3)s <%% s.text",
    "%(w4)s <%% s.text", "%(w5)s <%% s.text", "%(w6)s <%% s.text", "%(w7)s <%% s.text",
)  # fmt: skip
_SIMILAR_WITHOUT_INDEX: tuple[LiteralString, ...] = (
    "%(w0)s <%% (s.text || '')", "%(w1)s <%% (s.text || '')", "%(w2)s <%% (s.text || '')", "%(w3)s <%% (s.text || '')",
    "%(w4)s <%% (s.text || '')", "%(w5)s <%% (s.text || '')", "%(w6)s <%% (s.text || '')", "%(w7)s <%% (s.text || '')",
)  # fmt: skip


def exact_condition(use_index: Sequence[bool]) -> LiteralString:
    """The conditions that all of the words are there."""
    return " AND ".join((LIKE_CONDITIONS if tells else _LIKE_WITHOUT_INDEX)[n] for n, tells in enumerate(use_index))


def similar_condition(words: Sequence[str], use_index: Sequence[bool]) -> tuple[LiteralString, dict[str, str]]:
    """The conditions with room for typing errors, and their values."""
    values: dict[str, str] = {}
    conditions: list[LiteralString] = []
    for n, (word, tells) in enumerate(zip(words, use_index, strict=True)):
        if allows_typos(word):
            values[f"w{n}"] = word
            conditions.append((_SIMILAR_CONDITIONS if tells else _SIMILAR_WITHOUT_INDEX)[n])
        else:
            values[f"w{n}"] = like.containing(word)
            conditions.append((LIKE_CONDITIONS if tells else _LIKE_WITHOUT_INDEX)[n])
    return " AND ".join(conditions), values


@dataclass(frozen=True, slots=True)
class TermFrequencies:
    """What the newest messages say of the words that are looked for."""

    use_index: list[bool]
    """Which of them the index is to be asked for: of `please` and an order number, the number.

    Where all of them are frequent, all; but none where there is a chat to be looked through instead.
    """
    has_rare_word: bool
    """Whether one of those is so rare that whatever the index finds of it is soon sorted.

    PostgreSQL cannot know: by its sample of texts a number that one of them has is in each hundredth message, and it
    would read all messages in their order until it has a page.
    """


def measure_frequencies(connection: Connection, words: Sequence[str], *, in_chat: bool) -> TermFrequencies:
    """Count the words in the newest messages."""
    counts = connection.execute(
        """
        SELECT
            count(*) FILTER (WHERE s.text LIKE %(w0)s), count(*) FILTER (WHERE s.text LIKE %(w1)s),
            count(*) FILTER (WHERE s.text LIKE %(w2)s), count(*) FILTER (WHERE s.text LIKE %(w3)s),
            count(*) FILTER (WHERE s.text LIKE %(w4)s), count(*) FILTER (WHERE s.text LIKE %(w5)s),
            count(*) FILTER (WHERE s.text LIKE %(w6)s), count(*) FILTER (WHERE s.text LIKE %(w7)s)
        FROM (SELECT s.text FROM search_index AS s ORDER BY s.timestamp DESC, s.id DESC LIMIT %(window)s) AS s
        """,
        {**{f"w{n}": None for n in range(MAX_WORDS)}, **like_parameters(words), "window": SCAN_WINDOW},
    ).fetchone()
    assert counts is not None, "a count is a row"
    counted = [
        cast("int", count) if len(word) >= MIN_TRIGRAM_LENGTH else SCAN_WINDOW
        for word, count in zip(words, counts, strict=False)
    ]
    tell = [count <= _FREQUENT_THRESHOLD for count in counted]
    return TermFrequencies(tell if any(tell) or in_chat else [True] * len(words), min(counted) <= _RARE_THRESHOLD)


def like_parameters(words: Iterable[str]) -> dict[str, str]:
    """The values of LIKE's parameters."""
    return {f"w{n}": like.containing(word) for n, word in enumerate(words)}


def allows_typos(word: str) -> bool:
    """Whether a typing error in it is allowed for."""
    return len(word) >= 4 and word.isalpha()
