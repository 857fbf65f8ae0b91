"""Extracts the part of a text that matches a search, with the ranges of the matches."""

import difflib
import re
from dataclasses import dataclass

from store.feed import search_document
from store.model import spelling

_CONTEXT_LENGTH, _SNIPPET_LENGTH = 60, 200
_MIN_SIMILARITY = 0.6
_MAX_COMPARED_LENGTH = 10_000
"""Characters in which similar words are looked for: each comparison takes microseconds."""


@dataclass(frozen=True, slots=True)
class Snippet:
    text: str
    ranges: tuple[tuple[int, int], ...]
    """Start and end of each match in `text`, in Unicode characters."""


def extract(text: str, words: tuple[str, ...], *, fuzzy: bool) -> Snippet:
    """The snippet around the first match; `words` as `store.feed.search_document.split_query` returns them."""
    text = spelling.compose(text)
    normalized, offsets = spelling.normalize_with_offsets(text)
    compact, compact_offsets = search_document.without_separators(normalized, offsets)
    matches: set[tuple[int, int]] = set()
    for word in words:
        spans = [(offsets[start], offsets[end - 1] + 1) for start, end in _find(normalized, word)]
        if any(map(str.isdecimal, word)) or not spans:
            spans += [(compact_offsets[start], compact_offsets[end - 1] + 1) for start, end in _find(compact, word)]
        if fuzzy and not spans:
            spans = [(offsets[start], offsets[end - 1] + 1) for start, end in _find_similar(normalized, word)]
        matches.update(spans)
    ranges: list[tuple[int, int]] = []
    for start, end in sorted(matches):
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
        else:
            ranges.append((start, end))
    begin = max(0, ranges[0][0] - _CONTEXT_LENGTH) if ranges else 0
    end = begin + _SNIPPET_LENGTH
    visible = tuple((start - begin, min(stop, end) - begin) for start, stop in ranges if start < end)
    return Snippet(text[begin:end], visible)


def _find(text: str, word: str) -> list[tuple[int, int]]:
    emoji = re.fullmatch("emoji([0-9]+)x", word)
    # A word of a script without spaces has spaces between its characters.
    needle = chr(int(emoji[1])) if emoji else word.replace(" ", "")
    return [match.span() for match in re.finditer(re.escape(needle), text)]


def _find_similar(text: str, word: str) -> list[tuple[int, int]]:
    return [
        match.span()
        for match in re.finditer(r"\w{1,64}", text[:_MAX_COMPARED_LENGTH])
        if difflib.SequenceMatcher(None, match[0], word).ratio() >= _MIN_SIMILARITY
    ]
