"""Strings that PostgreSQL takes as text and as jsonb, and gives back."""

import hashlib
import re

MAX_TEXT = 65_536
"""What WhatsApp allows in one message."""
MAX_NAME = 256
MAX_LABEL = 128
MAX_URL = 8_192
MAX_ID_BYTES = 256
"""An index row holds at most 2,704 bytes, and a key has up to three ids beside an address."""

_UNSTORABLE_PATTERN = re.compile("[\x00\ud800-\udfff]")


def sanitize(value: str, limit: int = MAX_TEXT) -> str:
    """The text with U+FFFD for each NUL and lone surrogate; what is cut off is counted at the end."""
    if len(value) > limit:
        note = f" [… {len(value) - limit} more characters]"
        value = value[:limit] + note
    # Looking is a third of the price of replacing, and nearly all text is as it should be.
    if value.isascii() and "\x00" not in value:
        return value
    return _UNSTORABLE_PATTERN.sub("\ufffd", value)


def message_text(value: object) -> str | None:
    """What somebody wrote; None if there is nothing."""
    if isinstance(value, str):
        return sanitize(value) if value else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def label(value: object, limit: int = MAX_LABEL) -> str | None:
    """A short string without space around it, such as a name or a type; cut at the limit. None if there is nothing."""
    if not isinstance(value, str):
        return None
    # Cut first: stripping a megabyte to keep a word of it would be work that a stranger orders.
    stripped = value[: 2 * limit].strip()[:limit]
    if not stripped or (stripped.isascii() and "\x00" not in stripped):
        return stripped or None
    return _UNSTORABLE_PATTERN.sub("\ufffd", stripped)


def identifier(value: object) -> str | None:
    """An id as it came; None if there is none.

    One that cannot be kept as it is (too long for an index, or with characters that PostgreSQL has not) is named by its
    hash instead: what carries the same id still finds the message, and no two ids become one.
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
    """A link that a browser may follow; None for anything else. Half a link is none, so it is never cut."""
    if not isinstance(value, str) or len(value) > MAX_URL or not value[:8].lower().startswith(("http://", "https://")):
        return None
    return None if _UNSTORABLE_PATTERN.search(value) else value
