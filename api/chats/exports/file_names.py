"""Builds names for downloaded files that are valid on every system, whatever the name of the chat contains."""

import re
import unicodedata
from urllib.parse import quote

_MAX_LENGTH = 80
_FORBIDDEN = re.compile(r'[\\/:*?"<>|\s]+')
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def attachment(name: str, plain_name: str, extension: str) -> str:
    """Return a Content-Disposition with the name, and with `plain_name` for clients that support only ASCII.

    See RFC 6266.
    """
    plain = _legal(re.sub(r"[^ -~]", "", plain_name.replace("@", "_")))
    return f"attachment; filename=\"{plain}.{extension}\"; filename*=UTF-8''{quote(_legal(name))}.{extension}"


def _legal(name: str) -> str:
    visible = "".join(
        character
        for character in name
        if unicodedata.category(character) not in _HIDDEN_CATEGORIES or character.isspace()
    )
    *words, last = _FORBIDDEN.sub(" ", visible).strip(" .").rsplit(" ", 1)
    # The last word, which is a date, is kept.
    return f"{' '.join(words)[:_MAX_LENGTH].rstrip()} {last}".strip()
