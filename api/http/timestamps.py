"""Formats timestamps for clients: ISO 8601 in UTC, with milliseconds."""

from datetime import UTC, datetime


def format_utc(at: datetime | int | None) -> str | None:
    """Return a datetime or milliseconds since 1970 as `2025-06-15T15:06:40.000Z`, or None for None."""
    if at is None:
        return None
    at = datetime.fromtimestamp(at / 1000, UTC) if isinstance(at, int) else at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
