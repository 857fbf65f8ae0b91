"""Counts the chats under each filter of the list of chats."""

from typing import LiteralString, cast

from store.postgres.connections import Connection
from store.reading.fragments.unread_sql import IS_UNREAD

MAX_COUNT = 1_000
"""The greatest count. If there are more chats, the count is this number."""
_CONDITIONS: dict[str, LiteralString] = {
    "all": "true",
    "unread": IS_UNREAD,
    "waiting": "c.waiting_since IS NOT NULL",
    "groups": "c.kind = 'group'",
}


def read(connection: Connection, sessions: tuple[str, ...] | None) -> dict[str, int]:
    """Return the number of chats under each filter, at most MAX_COUNT."""
    in_sessions: LiteralString = "" if sessions is None else "AND c.session_id = ANY(%(sessions)s)"
    columns: LiteralString = ", ".join(
        f"""(
            SELECT count(*) FROM (
                SELECT FROM chats AS c
                WHERE c.merged_into IS NULL AND c.last_timestamp IS NOT NULL AND {condition} {in_sessions}
                LIMIT %(most)s
            ) AS counted
        )"""
        for condition in _CONDITIONS.values()
    )
    values = {"sessions": None if sessions is None else list(sessions), "most": MAX_COUNT}
    row = connection.execute(f"SELECT {columns}", values).fetchone()
    assert row is not None, "a query without FROM"
    return dict(zip(_CONDITIONS, cast("tuple[int, ...]", row), strict=True))
