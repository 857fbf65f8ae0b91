"""Extracts the part of a text that matches a search, and the positions of the matches."""

import bisect
import difflib
import itertools
import re
from dataclasses import dataclass

from store.model import spelling
from store.search_index import search_document

_CONTEXT_LENGTH, _SNIPPET_LENGTH = 60, 200
_MIN_SIMILARITY = 0.6
_MAX_COMPARED_LENGTH = 4_000
"""The number of characters that are searched for similar words. Each comparison takes microseconds."""
_PIECE_LENGTH = 1_000
_MAX_WORD_LENGTH = 512
"""The greatest length of a query, and so of a word, in characters."""


@dataclass(frozen=True, slots=True)
class Snippet:
    text: str
    ranges: tuple[tuple[int, int], ...]
    """Start and end of each match in `text`, in Unicode characters."""


def extract(text: str, words: tuple[str, ...], *, fuzzy: bool) -> Snippet:
    """Return the snippet around the first match. `words` is the result of `search_document.split_query`."""
    text = _part_with_match(spelling.compose(text), words)
    normalized, offsets = spelling.normalize_with_offsets(text)
    compact, compact_offsets = search_document.remove_separators_with_offsets(normalized, offsets)
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


def _part_with_match(composed: str, words: tuple[str, ...]) -> str:
    """Return the part of a long text around its first match, or its beginning: later steps read each character."""
    if len(composed) <= 4 * _PIECE_LENGTH:
        return composed
    pieces = [
        spelling.normalize(composed[start : start + _PIECE_LENGTH]) for start in range(0, len(composed), _PIECE_LENGTH)
    ]
    compact = [search_document.remove_separators(piece) for piece in pieces]
    found = [
        index
        for text_pieces in (pieces, compact)
        for word in words
        if (index := _find_piece(text_pieces, _needle(word))) is not None
    ]
    start = max(0, min(found, default=0) * _PIECE_LENGTH - _CONTEXT_LENGTH)
    return composed[start : start + 3 * _PIECE_LENGTH + _MAX_WORD_LENGTH]


def _find_piece(pieces: list[str], needle: str) -> int | None:
    """Return the index of the piece in which the first match begins."""
    position = "".join(pieces).find(needle)
    if position < 0:
        return None
    return bisect.bisect_right(list(itertools.accumulate(map(len, pieces))), position)


def _needle(word: str) -> str:
    emoji = re.fullmatch("emoji([0-9]+)x", word)
    # A word of a script without spaces has spaces between its characters.
    return chr(int(emoji[1])) if emoji else word.replace(" ", "")


def _find(text: str, word: str) -> list[tuple[int, int]]:
    beginning = "(?<![^\\W_])" if search_document.begins_words_only(word) else ""
    return [match.span() for match in re.finditer(beginning + re.escape(_needle(word)), text)]


def _find_similar(text: str, word: str) -> list[tuple[int, int]]:
    return [
        match.span()
        for match in re.finditer(r"\w{1,64}", text[:_MAX_COMPARED_LENGTH])
        if difflib.SequenceMatcher(None, match[0], word).ratio() >= _MIN_SIMILARITY
    ]
