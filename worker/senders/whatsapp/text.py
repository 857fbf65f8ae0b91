"""Converts strings so that PostgreSQL stores them as text and jsonb without loss."""

import hashlib
import re

from store.model import spelling

MAX_TEXT = 65_536
"""The limit of WhatsApp for one message, in characters."""
MAX_NAME = 256
MAX_LABEL = 128
MAX_URL = 8_192
MAX_ID_BYTES = 256
"""The size limit of an id, because an index row has at most 2,704 bytes, and a key has up to three ids and an address.
"""

_UNSTORABLE_PATTERN = re.compile("[\x00\ud800-\udfff]")


def sanitize(value: str) -> str:
    """Return the text with U+FFFD for each NUL and lone surrogate.

    A text longer than MAX_TEXT is cut, with a note of the number of characters lost.
    """
    if len(value) > MAX_TEXT:
        note = f" [… {len(value) - MAX_TEXT} more characters]"
        value = value[:MAX_TEXT] + note
    # A check takes a third of the time of replacing, and nearly all text is clean.
    if value.isascii() and "\x00" not in value:
        return value
    return _UNSTORABLE_PATTERN.sub("\ufffd", value)


def message_text(value: object) -> str | None:
    """Return the text of a message, or None if it is empty."""
    if isinstance(value, str):
        return sanitize(value) if value else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def label(value: object, limit: int = MAX_LABEL) -> str | None:
    """Return a short string such as a name or a type, stripped and cut at the limit, or None if it is empty."""
    if not isinstance(value, str):
        return None
    # Cut first, because stripping a megabyte for a short word would let a sender cause expensive work.
    stripped = value[: 2 * limit].strip()[:limit]
    if not stripped or (stripped.isascii() and "\x00" not in stripped):
        return stripped or None
    return _UNSTORABLE_PATTERN.sub("\ufffd", stripped)


def name(value: object) -> str | None:
    """Return the name of a person or a chat, or None if none of it is visible."""
    stripped = label(value, MAX_NAME)
    if stripped is None or (stripped.isascii() and stripped.isprintable()):
        return stripped
    return None if spelling.is_blank(stripped) else stripped


def reason(*values: object) -> str | None:
    """Return the first of the values that is a text, without its full stop, or None if none is."""
    labels = (label(value, MAX_NAME) for value in values)
    return next((each.rstrip(".") for each in labels if each), None)


def identifier(value: object) -> str | None:
    """Return an id unchanged, or None if it is empty.

    An id that cannot be stored (because it is too long for an index or has characters that PostgreSQL rejects) is
    replaced by its hash, so that equal ids stay equal and different ids stay different.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value or value.isspace():
        return None
    if value.isascii() and len(value) <= MAX_ID_BYTES and "\x00" not in value:
        return value
    encoded = value.encode("utf-8", "surrogatepass")
    if len(encoded) <= MAX_ID_BYTES and not _UNSTORABLE_PATTERN.search(value):
        return value
    return f"sha256:{hashlib.sha256(encoded).hexdigest()}"


def url(value: object) -> str | None:
    """Return a link that a browser may follow, or None for any other value. A link is never cut."""
    if not isinstance(value, str) or len(value) > MAX_URL or not value[:8].lower().startswith(("http://", "https://")):
        return None
    return None if _UNSTORABLE_PATTERN.search(value) else value
