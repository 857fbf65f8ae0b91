"""Finds the chats that have new messages since the last reading, so that devices can be notified of them."""

from dataclasses import dataclass
from typing import LiteralString, cast

from store.postgres import errors
from store.postgres.connections import Connection
from store.reading import change_feed
from store.reading.change_feed import FeedPosition

MAX_CHATS = 200
"""The maximum number of chats in one reading, because nobody could follow more at a time."""
_MAX_CHANGES = 5000
"""The maximum number of changes in one reading. A replay or a backfill writes far more, hardly any of them news."""
_RECENT_MS = 600_000
"""The maximum age of a message that is news, because a gateway may deliver its history."""
_MAX_DELIVERED = 1000
"""The number of messages that are remembered as delivered."""
_MAX_PAUSE: LiteralString = "60 seconds"
"""The time without a reading, as after a stop, after which the messages of that time are skipped."""


@dataclass(frozen=True, slots=True)
class NewsItem:
    """The newest unread message of a chat."""

    chat_id: int
    session_id: str
    address: str
    name: str | None
    text: str | None
    """The text or the caption."""
    message_id: int
    """The id of its row."""


def begin(connection: Connection) -> None:
    """Let the next reading begin at the current position, unless devices are already notified.

    Must be called before a device is saved.
    """
    with errors.translated():
        connection.execute(
            f"""
            UPDATE push_position
            SET xid = pg_snapshot_xmin(pg_current_snapshot()), change_id = 0, looked_at = now()
            WHERE looked_at < now() - interval '{_MAX_PAUSE}' OR NOT EXISTS (SELECT FROM push_subscriptions)
            """
        )


def claim(connection: Connection) -> list[NewsItem] | None:
    """Return the news since the last call of any process, at most one for each chat, newest first.

    Returns None if another process is reading the news. The position is advanced in the caller's transaction.
    """
    row = connection.execute(
        f"""
        SELECT p.xid::text::bigint, p.change_id, p.told, p.looked_at > now() - interval '{_MAX_PAUSE}'
        FROM push_position AS p
        FOR UPDATE SKIP LOCKED
        """
    ).fetchone()
    if row is None:
        return None
    xid, change_id, delivered_ids, is_recent = cast("tuple[int, int, list[int], bool]", row)
    _, newest = change_feed.current_position(connection)
    found = _between(connection, FeedPosition(xid, change_id), newest) if is_recent else []
    # A message changes again when another gateway reports it, too.
    found = [one for one in found if one.message_id not in delivered_ids]
    connection.execute(
        """
        UPDATE push_position
        SET xid = %(xid)s::xid8, change_id = %(change_id)s, told = %(told)s, looked_at = now()
        """,
        {
            "xid": str(newest.xid),
            "change_id": newest.change_id,
            "told": [*delivered_ids, *(one.message_id for one in found)][-_MAX_DELIVERED:],
        },
    )
    return found


def is_current(connection: Connection, item: NewsItem) -> bool:
    """Return whether the message still exists and is not deleted."""
    row = connection.execute(
        "SELECT FROM whatsapp_messages WHERE id = %s AND deleted_at IS NULL", [item.message_id]
    ).fetchone()
    return row is not None


def _between(connection: Connection, after: FeedPosition, up_to: FeedPosition) -> list[NewsItem]:
    cursor = connection.execute(
        """
        SELECT n.chat_id, n.session_id, n.address, n.name, n.text, n.message_id
        FROM (
            SELECT DISTINCT ON (canonical.chat_id)
                canonical.chat_id, canonical.session_id, canonical.address, canonical.name,
                coalesce(nullif(m.message_text, ''), m.caption) AS text, m.id AS message_id, m.timestamp
            FROM (
                SELECT c.kind, c.message
                FROM changes AS c
                WHERE (c.xid, c.change_id) > (%(after_xid)s::xid8, %(after_id)s::bigint)
                    AND (c.xid, c.change_id) <= (%(last_xid)s::xid8, %(last_id)s::bigint)
                ORDER BY c.xid DESC, c.change_id DESC
                LIMIT %(most_changes)s
            ) AS c
            JOIN whatsapp_messages AS m ON m.id = c.message
            JOIN chats AS member ON member.chat_id = m.chat_id
            JOIN chats AS canonical ON canonical.chat_id = member.canonical_chat_id
            WHERE c.kind = 'message' AND m.direction = 'incoming' AND m.unread AND NOT m.is_duplicate
                AND m.deleted_at IS NULL AND m.timestamp > extract(epoch FROM now()) * 1000 - %(recent)s
                AND canonical.kind NOT IN ('broadcast', 'newsletter')
            ORDER BY canonical.chat_id, m.timestamp DESC, m.id DESC
        ) AS n
        ORDER BY n.timestamp DESC
        LIMIT %(most_chats)s
        """,
        {
            "after_xid": str(after.xid),
            "after_id": after.change_id,
            "last_xid": str(up_to.xid),
            "last_id": up_to.change_id,
            "recent": _RECENT_MS,
            "most_changes": _MAX_CHANGES,
            "most_chats": MAX_CHATS,
        },
    )
    return [
        NewsItem(*row) for row in cast("list[tuple[int, str, str, str | None, str | None, int]]", cursor.fetchall())
    ]
