"""Normalises the spelling of text. Search, erasure, addresses and exports compare text only in this form.

The time is proportional to the length for any text. https://unicode.org/reports/tr15/ limits the cost of composition
only if runs of combining marks are limited.
"""

import re
import unicodedata
from typing import Final

VERSION: Final = 2
"""Increase it whenever the normalised spelling of any text changes. The search index is then rebuilt."""

MAX_MARKS: Final = 8
"""The number of consecutive marks that are kept. No script uses more."""

_TOO_MANY_MARKS = re.compile(rb"(?<=[^\0]{%d})[^\0]+" % MAX_MARKS)
_MAX_CACHED_CHARACTERS: Final = 20_000
_PIECE_LENGTH: Final = 4096
_REPLACEMENTS: Final = {
    # Apostrophes and quotation marks.
    **dict.fromkeys("\u00b4\u2018\u2019\u201a\u201b\u02bc\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
    **dict.fromkeys("\u2212\u2043\u30fb", "-"),
    **dict.fromkeys("\u2044\u2215", "/"),
    # The blank pattern of Braille.
    "\u2800": " ",
    # The dotless i of Turkish, whose capital is I.
    "\u0131": "i",
    # Arabic yeh and kaf as typed on Persian and Urdu keyboards.
    **dict.fromkeys("\u0649\u06cc", "\u064a"),
    "\u06a9": "\u0643",
    # Invisible characters that count as letters or marks: tatweel, Hangul fillers, a joiner, Khmer vowels, variation
    # selectors.
    **dict.fromkeys("\u0640\u115f\u1160\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f", ""),
    **{chr(code): "" for code in range(0xFE00, 0xFE10)},
}
_INVISIBLE_PLANE: Final = range(0xE0000, 0xE1000)
"""Tags and variation selectors."""


class _Spellings(dict[int, str]):
    """A cache of the spellings of characters that have occurred."""

    def __missing__(self, code: int) -> str:
        spelling = _spell(chr(code))
        if len(self) < _MAX_CACHED_CHARACTERS:
            self[code] = spelling
        return spelling


def compose(text: str) -> str:
    """Return the text in the form NFC, with at most MAX_MARKS consecutive marks."""
    if text.isascii():
        return text
    classes = bytes(map(unicodedata.combining, text))
    if len(classes) - classes.count(0) > MAX_MARKS:
        kept: list[str] = []
        end = 0
        for excess in _TOO_MANY_MARKS.finditer(classes):
            kept.append(text[end : excess.start()])
            end = excess.end()
        text = "".join((*kept, text[end:]))
    return unicodedata.normalize("NFC", text)


def normalize(text: str) -> str:
    """Return the text with one spelling for everything that reads alike. Idempotent.

    Characters are decomposed (NFKD). Case, accents and vowel points are dropped. Digits of every script become 0-9,
    spaces and control characters become spaces, and dashes become hyphens. Joiners, directional marks and other
    invisible characters are removed.
    """
    return _spell_composed(compose(text))


def normalize_start(text: str, max_length: int) -> str:
    """Return up to `max_length` characters of the normalised text, from at most that many characters of the text.

    A ligature becomes up to 18 characters, so normalising stops as soon as the result is long enough.
    """
    composed = compose(text[:max_length])
    parts: list[str] = []
    length = 0
    for start in range(0, len(composed), _PIECE_LENGTH):
        parts.append(_spell_composed(composed[start : start + _PIECE_LENGTH]))
        length += len(parts[-1])
        if length >= max_length:
            break
    return "".join(parts)[:max_length]


def normalize_with_offsets(composed: str) -> tuple[str, list[int]]:
    """Normalise a text that `compose` returned. Also return the offset in it of each resulting character."""
    parts = [_SPELLINGS[ord(character)] for character in composed]
    return "".join(parts), [offset for offset, part in enumerate(parts) for _ in part]


def is_blank(text: str) -> bool:
    """Return whether the text has no visible character."""
    return not normalize(text).strip(" ")


def _spell_composed(composed: str) -> str:
    # Of printable ASCII, only capitals have another spelling.
    if composed.isascii() and composed.isprintable():
        return composed.lower()
    return composed.translate(_SPELLINGS)


def _spell(character: str) -> str:
    if character in _REPLACEMENTS:
        return _REPLACEMENTS[character]
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "".join(map(_spell_decomposed, decomposed))


def _spell_decomposed(character: str) -> str:
    if character in _REPLACEMENTS:
        return _REPLACEMENTS[character]
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(character)
    if category in ("Zs", "Zl", "Zp", "Cc"):
        return " "
    if category == "Pd":
        return "-"
    is_mark = category == "Mn" and _is_optional(unicodedata.combining(character))
    is_invisible = category in ("Cf", "Me") or ord(character) in _INVISIBLE_PLANE
    return "" if is_mark or is_invisible else character


def _is_optional(combining_class: int) -> bool:
    """Return whether a mark is an accent, an overlay, or a vowel point of Hebrew, Arabic or Syriac.

    Other marks change the letter: vowel signs, viramas and tones in the scripts of India and Southeast Asia.
    """
    return combining_class == 1 or 10 <= combining_class <= 36 or combining_class >= 200


_SPELLINGS: Final = _Spellings()
