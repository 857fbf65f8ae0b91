"""Names monthly partitions of the raw events by their distance from the current month."""

from datetime import UTC, datetime


def month_ms(ahead: int) -> int:
    """Return the start of a month in ms. 0 is the current month, -1 the previous one."""
    now = datetime.now(UTC)
    years, index = divmod(now.month - 1 + ahead, 12)
    return int(datetime(now.year + years, index + 1, 1, tzinfo=UTC).timestamp()) * 1000


def partition_name(ahead: int) -> str:
    return f"raw_events_{datetime.fromtimestamp(month_ms(ahead) / 1000, UTC):%Y_%m}"
