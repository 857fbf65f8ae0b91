"""The part of a text in which something was found, and where in it."""

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
    """Begin and end of each match, in Unicode characters of `text`."""


def extract(text: str, terms: tuple[str, ...], *, fuzzy: bool) -> Snippet:
    """The words are spelled as store.reading.search.words_of spells them."""
    text = unicodedata.normalize("NFC", text)
    plain, places = _normalize(text)
    found = sorted({match for word in terms for match in _matches(plain, word, fuzzy=fuzzy)})
    ranges: list[tuple[int, int]] = []
    for start, end in ((places[start], places[end - 1] + 1) for start, end in found):
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
        else:
            ranges.append((start, end))
    begin = max(0, ranges[0][0] - _CONTEXT_LENGTH) if ranges else 0
    end = begin + _SNIPPET_LENGTH
    return Snippet(
        text[begin:end],
        tuple((start - begin, min(stop, end) - begin) for start, stop in ranges if start < end),
    )


def _normalize(text: str) -> tuple[str, list[int]]:
    """The text as it is compared, and for each of its characters the place in the text that it comes from."""
    parts: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        digit = unicodedata.decimal(character, None)
        part = str(digit) if digit is not None else unicodedata.normalize("NFKC", character).lower()
        parts.append(part)
        places += [place] * len(part)
    return "".join(parts), places


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
