"""Normalises texts for the search index, and queries in the same way.

The index compares groups of three characters within words. A document is therefore the normalised text, followed by
spellings of the parts that such groups do not find: numbers and codes without their separators, and emoji as words made
of their code points. A character of a script without spaces is treated as a word.
"""

import functools
import re
import string
from collections.abc import Iterator
from typing import NamedTuple

from store.model import spelling

MIN_TRIGRAM_LENGTH = 3
"""The least length in characters of a part of a word with trigrams. The beginning of a word may be shorter, because its
trigrams include the space before.
"""
MAX_LENGTH = 65_536
"""The number of characters of a normalised text that are indexed."""

_EMOJI = re.compile("[\u2190-\u2bff\U0001f000-\U0001faff]")
_CHARACTER_OF_SCRIPT_WITHOUT_SPACES = re.compile(
    "([\u2e80-\u2fdf\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
)
_WITHOUT_SEPARATORS = str.maketrans("", "", " -./\\_+#:*|',&@~()")
"""Characters that some writers put between the parts of a number or code, and others leave out."""
_MAX_LETTERS = 4
"""The greatest length of a word without a digit that may be part of a code, as in KT INS114 DRE."""
_CLOSING = (",", ";", "!", "?", '"')
"""Punctuation after which a number or code does not continue."""
_MAX_CACHED_WORDS = 16_384
_MAX_CACHED_LENGTH = 32
"""The greatest length of a word that is cached, because nearly every word occurred before."""


class _Part(NamedTuple):
    """A word as a possible part of a number or a code."""

    code: str
    """The word without separators and surrounding punctuation; empty for punctuation."""
    has_separators: bool
    has_digit: bool
    is_part: bool
    may_continue: bool
    """True if the next word may belong to the same number or code."""


def build(text: str) -> str:
    """Return the document of a text."""
    words = spelling.normalize_start(text, MAX_LENGTH).split()
    plain = " ".join(words)
    parts = [plain, *dict.fromkeys(_codes(words))]
    if not plain.isascii():
        parts = [_separate(part) for part in parts]
        parts += [f"emoji{ord(emoji)}x" for emoji in dict.fromkeys(_EMOJI.findall(plain))]
    return " ".join(parts)


def build_name(name: str) -> str:
    """Return the document of a chat's name, which also contains the whole name without separators."""
    document = build(name)
    whole = _separate(spelling.normalize(name[:MAX_LENGTH]).translate(_WITHOUT_SEPARATORS))
    return document if whole in document else f"{document} {whole}"


def split_query(text: str) -> tuple[str, ...]:
    """Return the words of a query in the form that documents contain.

    A number is one word, whatever separates its digits.
    """
    normalized = spelling.normalize(text)
    numbers: list[str] = []
    words: list[str] = []
    continues = False
    for word in _EMOJI.sub(" ", normalized).split():
        code = _squeeze(word)
        is_number = code.isdecimal() and word.translate(_WITHOUT_SEPARATORS) == code
        if is_number:
            numbers[-1:] = [numbers[-1] + code] if continues else [*numbers[-1:], code]
        elif code:
            words.append(code if _has_inner_separators(word, code) else word)
        elif word.translate(_WITHOUT_SEPARATORS):
            words.append(word)
        continues = not word.endswith(_CLOSING) and (is_number or (continues and not code))
    emoji = [f"emoji{ord(character)}x" for character in _EMOJI.findall(normalized)]
    if not numbers and not words and not emoji:
        words = normalized.split()
    return tuple(dict.fromkeys([*numbers, *(_separate(word).strip() for word in words), *emoji]))


def begins_words_only(word: str) -> bool:
    """Return whether a word of a query is found only at the beginning of words, because it is too short elsewhere.

    A character of a script without spaces is a word of its own.
    """
    return len(word) < MIN_TRIGRAM_LENGTH and word[:1].isalnum() and spaced(word) == word


def spaced(word: str) -> str:
    """Return a word of a query with the spaces that surround it in every document.

    A document has spaces around each character of a script without spaces.
    """
    before = " " if _CHARACTER_OF_SCRIPT_WITHOUT_SPACES.match(word) else ""
    after = " " if _CHARACTER_OF_SCRIPT_WITHOUT_SPACES.match(word[-1:]) else ""
    return f"{before}{word}{after}"


def remove_separators(text: str) -> str:
    """Return a normalised text without the separators of numbers and codes."""
    return text.translate(_WITHOUT_SEPARATORS)


def remove_separators_with_offsets(text: str, offsets: list[int]) -> tuple[str, list[int]]:
    """Return a normalised text without the separators of numbers and codes, and the offsets of its characters."""
    kept = [n for n, character in enumerate(text) if character.translate(_WITHOUT_SEPARATORS)]
    return "".join(text[n] for n in kept), [offsets[n] for n in kept]


def _codes(words: list[str]) -> Iterator[str]:
    """Yield numbers and codes without separators.

    These are words with separators, and words with a digit joined with their neighbours.
    """
    run: list[str] = []
    pieces = 0
    previous_has_digit = previous_may_continue = False
    for word in words:
        code, has_separators, has_digit, is_part, may_continue = (
            _part(word) if len(word) <= _MAX_CACHED_LENGTH else _part.__wrapped__(word)
        )
        if not code:
            continue
        if not (is_part and previous_may_continue and (has_digit or previous_has_digit)):
            if pieces > 1:
                yield "".join(run)
            run, pieces = [], 0
        run.append(code)
        pieces += 2 if has_separators else 1
        previous_has_digit, previous_may_continue = has_digit, may_continue
    if pieces > 1:
        yield "".join(run)


@functools.lru_cache(_MAX_CACHED_WORDS)
def _part(word: str) -> _Part:
    code = _squeeze(word)
    has_digit = any(map(str.isdecimal, code))
    is_part = has_digit or len(code) <= _MAX_LETTERS
    return _Part(code, _has_inner_separators(word, code), has_digit, is_part, is_part and not word.endswith(_CLOSING))


def _squeeze(word: str) -> str:
    """Return a word without separators and surrounding punctuation. The result is empty for punctuation."""
    return word.strip(string.punctuation).translate(_WITHOUT_SEPARATORS)


def _has_inner_separators(word: str, code: str) -> bool:
    return len(code) < len(word.strip(string.punctuation))


def _separate(text: str) -> str:
    """Put spaces around each character of a script without spaces, so that neighbours are two spaces apart."""
    return text if text.isascii() else _CHARACTER_OF_SCRIPT_WITHOUT_SPACES.sub(r" \1 ", text)
