"""Escapes line breaks in JSON, and invisible characters in text.

Readers disagree about line ends: Python's `splitlines`, and therefore HTTP clients, treat U+2028, U+2029 and U+0085 as
line breaks, although neither JSON nor server-sent events do.
"""

import unicodedata
from typing import Final

_ESCAPED_IN_JSON: Final = ("\u2028", "\u2029", "\x85")
"""JSON always escapes the other line breaks, which are below U+0020."""
_INVISIBLE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def escape_json(document: str) -> str:
    """Return the same JSON without raw line breaks."""
    if document.isascii():
        return document
    for character in _ESCAPED_IN_JSON:
        document = document.replace(character, f"\\u{ord(character):04x}")
    return document


def escape_invisible(text: str, keep: str = "") -> str:
    """Return the text with control, format and line-separator characters escaped, except those in `keep`."""
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _INVISIBLE_CATEGORIES and character not in keep
        else character
        for character in text
    )
