"""Builds the JSON of messages and sends in SQL fragments that pages, search and the change feed share.

PostgreSQL builds the JSON because for a page of 50 messages this takes half the time of building it in Python.
"""

from collections.abc import Mapping
from typing import LiteralString

from store.model import message_columns
from store.reading.fragments.json_views import iso_ms, iso_time
from store.reading.fragments.reaction_sql import REACTOR
from store.reading.fragments.version_sql import VERSIONS, VERSIONS_BYTES

_MAX_REACTIONS: LiteralString = "1024"

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
"""
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
"""


def message_json(may_have_reactions: LiteralString = "true") -> LiteralString:
    """Return SQL for a message as a JSON object.

    Requires the aliases `m`, a row of whatsapp_messages, and `canonical`, the chat_id and address of its canonical
    chat. The field `versions` contains the texts before each edit, newest first within 1 MiB; it is null if the
    parameter `versions` is false. Reactions are looked up if `may_have_reactions` is true for `m`.
    """
    return f"""(
    SELECT row_to_json(view)::text
    FROM (
        SELECT m.id, m.message_id, m.session_id, canonical.address, m.direction, m.from_number, m.to_number,
            {_CONTENT},
            m.status, m.timestamp, {iso_time("m.created_at")} AS created_at,
            m.time_source, CASE WHEN m.sender IS NOT NULL THEN canonical_address(m.session_id, m.sender) END AS sender,
            m.sender_name, m.unread, m.starred, m.edited_at IS NOT NULL AS edited, {iso_ms("m.edited_at")} AS edited_at,
            m.deleted_at IS NOT NULL AS deleted, {iso_ms("m.deleted_at")} AS deleted_at,
            CASE WHEN {may_have_reactions} THEN coalesce((
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
            ), '[]') ELSE '[]' END AS reactions,
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
)"""


MESSAGE_JSON = message_json()
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
)"""
"""A send without a message, in the same shape. It has no `id`, and gives the reason if the send failed or is unknown.

Requires the alias `s`, a row of sends.
"""
