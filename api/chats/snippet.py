"""Extracts the part of a text that matches a search, with the ranges of the matches."""

import difflib
import re
import unicodedata
from dataclasses import dataclass

_CONTEXT_LENGTH, _SNIPPET_LENGTH = 60, 200
_DIGIT_SEPARATORS = r"[ ().\u00a0\u2010-\u2015/-]*"
_MIN_SIMILARITY = 0.6


@dataclass(frozen=True, slots=True)
class Snippet:
    text: str
    ranges: tuple[tuple[int, int], ...]
    """Start and end of each match in `text`, in Unicode characters."""


def extract(text: str, terms: tuple[str, ...], *, fuzzy: bool) -> Snippet:
    """The snippet around the first match; `terms` as `store.reading.search_terms.tokenize` returns them."""
    text = unicodedata.normalize("NFC", text)
    normalized, offsets = _normalize(text)
    matches = sorted({match for term in terms for match in _matches(normalized, term, fuzzy=fuzzy)})
    ranges: list[tuple[int, int]] = []
    for start, end in ((offsets[start], offsets[end - 1] + 1) for start, end in matches):
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
        else:
            ranges.append((start, end))
    begin = max(0, ranges[0][0] - _CONTEXT_LENGTH) if ranges else 0
    end = begin + _SNIPPET_LENGTH
    visible = tuple((start - begin, min(stop, end) - begin) for start, stop in ranges if start < end)
    return Snippet(text[begin:end], visible)


def _normalize(text: str) -> tuple[str, list[int]]:
    """The text in the form of the index, and the original offset of each of its characters."""
    parts: list[str] = []
    offsets: list[int] = []
    for offset, character in enumerate(text):
        digit = unicodedata.decimal(character, None)
        part = str(digit) if digit is not None else unicodedata.normalize("NFKC", character).lower()
        parts.append(part)
        offsets += [offset] * len(part)
    return "".join(parts), offsets


def _matches(normalized: str, term: str, *, fuzzy: bool) -> list[tuple[int, int]]:
    emoji = re.fullmatch("emoji([0-9]+)x", term)
    if emoji:
        term = chr(int(emoji[1]))
    term = term.replace("  ", "")
    pattern = _DIGIT_SEPARATORS.join(term) if term.isdigit() else re.escape(term)
    exact = [match.span() for match in re.finditer(pattern, normalized)]
    if exact or not fuzzy:
        return exact
    return [
        match.span()
        for match in re.finditer(r"\w+", normalized)
        if difflib.SequenceMatcher(None, match[0], term).ratio() >= _MIN_SIMILARITY
    ]
