"""Builds the JSON of chats and of times in SQL fragments that pages and the change feed share."""

from typing import LiteralString

from store.reading.fragments.annotation_sql import LABELS
from store.reading.fragments.unread_sql import UNREAD_COUNT

MAX_BIGINT = 2**63 - 1
"""A number greater than every position and time."""
MAX_PAGE_BYTES = 512 << 10
"""The size limit for the texts of one page of messages or changes. A larger page is cut short."""


def iso_time(expression: LiteralString) -> LiteralString:
    """Return SQL that formats a timestamptz as text: `2026-01-31T12:00:00.000Z`."""
    return f"""to_char({expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


def iso_ms(expression: LiteralString) -> LiteralString:
    """Return SQL that formats a time in ms in the same way."""
    return iso_time(f"to_timestamp({expression} / 1000.0)")


CHAT_JSON: LiteralString = f"""(
    SELECT row_to_json(view)::text
    FROM (
        SELECT CASE WHEN c.kind = 'phone' THEN c.address END AS phone_number, c.name,
            {iso_ms("c.last_timestamp")} AS last_message_at,
            {UNREAD_COUNT} AS unread_count, c.unread AS unmarked_count,
            c.session_id, c.address, c.kind, c.marked_unread,
            {iso_ms("c.waiting_since")} AS waiting_since, {LABELS} AS labels,
            CASE WHEN m.id IS NOT NULL THEN json_build_object(
                'id', m.id, 'message_id', m.message_id, 'direction', m.direction, 'message_type', m.message_type,
                'raw_type', m.raw_type,
                'preview', CASE
                    WHEN m.deleted_at IS NOT NULL THEN '[deleted]'
                    WHEN coalesce(m.message_text, m.caption, '') <> ''
                        THEN left(coalesce(nullif(m.message_text, ''), m.caption), 200)
                    WHEN m.content_state = 'undecrypted' THEN '[waiting for this message]'
                    ELSE '[' || m.message_type || ']'
                END,
                'status', m.status, 'timestamp', m.timestamp, 'created_at', {iso_ms("m.timestamp")},
                'sender_name', m.sender_name
            ) END AS last_message,
            c.rev
    ) AS view
)"""
"""A chat as a JSON object. Requires the aliases `c`, a canonical chat, and `m`, its last message or nulls."""
