"""Builds the JSON of messages, sends and chats in SQL fragments that pages, search and the change feed share.

PostgreSQL builds the JSON because for a page of 50 messages this takes half the time of building it in Python.
"""

from collections.abc import Mapping
from typing import LiteralString

from store.model import addresses, message_columns
from store.reading.annotation_sql import LABELS
from store.reading.reaction_sql import REACTOR
from store.reading.version_sql import VERSIONS, VERSIONS_BYTES

MAX_BIGINT = 2**63 - 1
"""Greater than every position and time."""
MAX_PAGE_BYTES = 512 << 10
"""The size limit for the texts of one page of messages or changes. A larger page is cut short."""
_MAX_REACTIONS: LiteralString = "1024"


def iso_time(expression: LiteralString) -> LiteralString:
    """Return SQL that formats a timestamptz as text: `2026-01-31T12:00:00.000Z`."""
    return f"""to_char({expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


def iso_ms(expression: LiteralString) -> LiteralString:
    """Return SQL that formats a time in ms in the same way."""
    return iso_time(f"to_timestamp({expression} / 1000.0)")


# A message deleted for everyone is still listed, without its text and media.
_CONTENT: LiteralString = ", ".join(
    f"CASE WHEN m.deleted_at IS NULL THEN m.{column.name} END AS {column.name}"
    if column.hidden_when_deleted
    else f"m.{column.name}"
    for column in message_columns.CONTENT
)
_CONTENT_OF_SENDS: Mapping[str, LiteralString] = {
    "message_type": "s.kind",
    "content_state": "CASE WHEN s.kind = 'text' THEN 'complete' ELSE 'media_missing' END",
    "message_text": "CASE WHEN s.kind = 'text' THEN s.text END",
    "caption": "CASE WHEN s.kind <> 'text' THEN s.text END",
    "mime_type": "s.mime_type",
    "file_name": "s.file_name",
}
_SEND_CONTENT: LiteralString = ", ".join(
    f"{_CONTENT_OF_SENDS[column.name]} AS {column.name}"
    if column.name in _CONTENT_OF_SENDS
    else f"NULL::{column.type} AS {column.name}"
    for column in message_columns.CONTENT
)

_HAS_ACCOUNTS: LiteralString = "EXISTS (SELECT FROM account_sessions)"
"""True if there are accounts. PostgreSQL evaluates it once per query, so it costs nothing per message."""
_REPORTED_BY: LiteralString = f"""
    CASE WHEN {_HAS_ACCOUNTS} THEN (
        SELECT json_agg(reported.session_id ORDER BY reported.session_id)
        FROM (
            SELECT DISTINCT o.session_id
            FROM whatsapp_messages AS o
            JOIN chats AS oc USING (chat_id)
            WHERE o.key_id = m.key_id AND o.direction = m.direction AND oc.canonical_chat_id = canonical.chat_id
        ) AS reported
    ) ELSE json_build_array(m.session_id) END
"""  # noqa: S608 - assembled from literals only, which the type proves
_MISSED_BY: LiteralString = f"""
    CASE WHEN m.direction = 'incoming' AND {_HAS_ACCOUNTS} THEN (
        SELECT json_agg(other.session_id ORDER BY other.session_id)
        FROM sessions AS own
        JOIN account_sessions AS mine USING (session_number)
        JOIN account_sessions AS a USING (primary_number)
        JOIN sessions AS other ON other.session_number = a.session_number
        WHERE own.session_id = m.session_id
            -- The other gateway's copy may still arrive. A gateway silent for a day is taken as removed.
            AND m.timestamp >= a.first_at AND m.created_at < now() - interval '1 minute'
            AND EXISTS (
                SELECT FROM session_events AS e
                WHERE e.session_number = a.session_number AND e.last_at > m.timestamp - 86400000
            )
            AND NOT EXISTS (
                SELECT
                FROM whatsapp_messages AS o
                WHERE o.key_id = m.key_id AND o.direction = m.direction AND o.session_id = other.session_id
            )
    ) END
"""  # noqa: S608 - assembled from literals only, which the type proves

MESSAGE_JSON: LiteralString = f"""(
    SELECT row_to_json(view)::text
    FROM (
        SELECT m.id, m.message_id, m.session_id, canonical.address, m.direction, m.from_number, m.to_number,
            {_CONTENT},
            m.status, m.timestamp, {iso_time("m.created_at")} AS created_at,
            m.time_source, CASE WHEN m.sender IS NOT NULL THEN canonical_address(m.session_id, m.sender) END AS sender,
            m.sender_name, m.unread, m.starred, m.edited_at IS NOT NULL AS edited, {iso_ms("m.edited_at")} AS edited_at,
            m.deleted_at IS NOT NULL AS deleted, {iso_ms("m.deleted_at")} AS deleted_at,
            coalesce((
                SELECT json_agg(
                    json_build_object(
                        'emoji', r.text, 'direction', r.direction, 'sender', r.sender,
                        'reacted_at', {iso_ms("r.occurred_at")}
                    )
                    ORDER BY r.occurred_at, r.digest
                )
                FROM (
                    -- The newest reaction of each person; an empty text removes it.
                    SELECT DISTINCT ON (by.direction, by.sender)
                        u.text, by.direction, by.sender, u.occurred_at, u.digest
                    FROM message_updates AS u
                    JOIN chats AS c ON c.chat_id = u.chat_id
                    CROSS JOIN LATERAL {REACTOR} AS by
                    WHERE u.key_id = m.key_id AND u.kind = 'reaction' AND c.canonical_chat_id = canonical.chat_id
                    ORDER BY by.direction, by.sender, u.occurred_at DESC, u.digest DESC
                    LIMIT {_MAX_REACTIONS}
                ) AS r
                WHERE r.text <> ''
            ), '[]') AS reactions,
            CASE WHEN %(versions)s THEN coalesce((
                SELECT json_agg(
                    json_build_object('text', v.text, 'written_at', {iso_ms("v.at")})
                    ORDER BY v.at, v.digest NULLS FIRST
                )
                FROM {VERSIONS} AS v
            ), '[]') END AS versions,
            send.send_id, send.idempotency_key,
            CASE WHEN m.status = 'failed' THEN (
                SELECT u.text FROM message_updates AS u
                WHERE u.key_id = m.key_id AND u.kind = 'ack' AND u.status = 'failed' AND u.text IS NOT NULL
                ORDER BY u.occurred_at DESC, u.digest
                LIMIT 1
            ) END AS reason,
            {_REPORTED_BY} AS told_by, coalesce({_MISSED_BY}, '[]') AS missed_by, m.rev
        FROM (SELECT) AS message
        -- The send that became this message, so that a client can replace it.
        LEFT JOIN LATERAL (
            SELECT s.send_id, s.idempotency_key FROM sends AS s
            WHERE m.direction = 'outgoing' AND s.key_id = m.key_id
            LIMIT 1
        ) AS send ON true
    ) AS view
)"""  # noqa: S608 - assembled from literals only, which the type proves
"""A message as a JSON object.

Requires the aliases `m`, a row of whatsapp_messages, and `canonical`, the chat_id and address of its canonical chat.
The field `versions` contains the texts before each edit, newest first within 1 MiB; it is null if the parameter
`versions` is false.
"""
_TEXT_SIZES: LiteralString = " + ".join(
    f"coalesce(octet_length(m.{column.name}), 0)" for column in message_columns.CONTENT if column.type == "text"
)
MESSAGE_BYTES: LiteralString = f"({_TEXT_SIZES} + {VERSIONS_BYTES})"
"""The size of a message's texts in bytes, which PostgreSQL knows without reading them.

Requires the alias `m` and the parameter `versions`.
"""

SEND_JSON: LiteralString = f"""(
    SELECT row_to_json(view)::text
    FROM (
        SELECT NULL::bigint AS id, coalesce(s.message_id, s.gateway_id) AS message_id, s.session_id, s.address,
            'outgoing' AS direction, s.from_number, s.address AS to_number,
            {_SEND_CONTENT},
            CASE s.state WHEN 'accepted' THEN 'pending' ELSE s.state END AS status,
            s.timestamp, {iso_time("s.created_at")} AS created_at, 'message' AS time_source,
            NULL::text AS sender, NULL::text AS sender_name, false AS unread, false AS starred,
            false AS edited, NULL::text AS edited_at, false AS deleted, NULL::text AS deleted_at,
            '[]'::json AS reactions, CASE WHEN %(versions)s THEN '[]'::json END AS versions,
            s.send_id, s.idempotency_key, s.reason, '[]'::json AS told_by, '[]'::json AS missed_by, s.rev
    ) AS view
)"""  # noqa: S608 - assembled from literals only, which the type proves
"""A send without a message, in the same shape. It has no `id`, and gives the reason if the send failed or is unknown.

Requires the alias `s`, a row of sends.
"""

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
)"""  # noqa: S608 - assembled from literals only, which the type proves
"""The number of unread messages: not marked as read, and later than the last answer, because answering implies reading.
Requires the alias `c`, a canonical chat, whose `unread` counts all messages that are not marked.
"""
IS_UNREAD: LiteralString = f"""(
    (c.unread > 0 OR c.marked_unread)
    AND (c.marked_unread OR c.waiting_since IS NOT NULL OR c.kind NOT IN {addresses.ANSWERED_KINDS})
)"""
"""True if `c` has something unread. The first line is the condition of an index."""

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
)"""  # noqa: S608 - assembled from literals only, which the type proves
"""A chat as a JSON object. Requires the aliases `c`, a canonical chat, and `m`, its last message or nulls."""
