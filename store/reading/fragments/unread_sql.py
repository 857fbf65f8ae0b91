"""Defines the SQL fragments that decide which messages and chats are unread."""

from typing import LiteralString

from store.model import addresses

_COUNTED_UNREAD: LiteralString = "1000"
"""The greatest number of messages to count after the last answer. If there are more, all count as unread."""
UNREAD_COUNT: LiteralString = f"""(
    SELECT CASE
        WHEN c.unread = 0 OR c.kind NOT IN {addresses.ANSWERED_KINDS} THEN c.unread
        WHEN c.waiting_since IS NULL THEN 0
        WHEN latest.unread = {_COUNTED_UNREAD} THEN c.unread
        ELSE latest.unread
    END
    FROM (
        SELECT count(*) AS unread
        FROM (
            SELECT
            FROM chat_ids_of(c.chat_id) AS member
            JOIN whatsapp_messages AS u ON u.chat_id = member.chat_id
            WHERE c.unread > 0 AND u.timestamp >= c.waiting_since AND u.unread AND NOT u.is_duplicate
            LIMIT {_COUNTED_UNREAD}
        ) AS counted
    ) AS latest
)"""
"""The number of unread messages: not marked as read, and later than the last answer, because answering implies reading.
Requires the alias `c`, a canonical chat, whose `unread` counts all messages that are not marked.
"""
IS_UNREAD: LiteralString = f"""(
    (c.unread > 0 OR c.marked_unread)
    AND (c.marked_unread OR c.waiting_since IS NOT NULL OR c.kind NOT IN {addresses.ANSWERED_KINDS})
)"""
"""True if `c` has something unread. The first line is the condition of an index."""
