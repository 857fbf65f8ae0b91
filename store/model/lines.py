"""Keeps a record on one line for every reader, and makes characters visible that nobody would see.

Readers differ in where they end a line: U+2028, U+2029 and U+0085 are line breaks to Python's `splitlines`, and so to
HTTP clients, although neither JSON nor server-sent events know them.
"""

import unicodedata
from typing import Final

_ESCAPED_IN_JSON: Final = ("\u2028", "\u2029", "\x85")
"""JSON always escapes the other line breaks, which are below U+0020."""
_SHOWN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def escape_json(document: str) -> str:
    """The same JSON without a raw line break."""
    for character in _ESCAPED_IN_JSON:
        document = document.replace(character, f"\\u{ord(character):04x}")
    return document


def show(text: str, keep: str = "") -> str:
    """The text with control, format and line-separator characters escaped as in Python, except for `keep`."""
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _SHOWN_CATEGORIES and character not in keep
        else character
        for character in text
    )
