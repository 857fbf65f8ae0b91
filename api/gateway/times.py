"""Reads the times in SAK's responses: ISO 8601, the format of its database, or seconds or milliseconds since 1970."""

import re
from datetime import UTC, datetime

_FIRST_MILLISECONDS = 100_000_000_000
"""Smaller numbers are seconds. This number means the year 5138 in seconds and 1973 in milliseconds."""


def to_ms(text: str | None) -> int | None:
    """Return milliseconds since 1970, or None for an invalid time. A time without an offset is UTC."""
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{9,15}", text, re.ASCII):
        number = int(text)
        return number if number >= _FIRST_MILLISECONDS else 1000 * number
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
