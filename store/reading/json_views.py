"""What a reader sees of a message and of a chat: fragments of SQL, because pages, search and the feed show the same.

PostgreSQL makes the JSON: for a page of 50 messages that takes half the time of rows that Python turns into JSON.
"""

from collections.abc import Mapping
from typing import LiteralString

from store.model import message_columns

_ISO_FORMAT: LiteralString = '\'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\''

# After a deletion for everyone a message is still listed, without its words and media.
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

MESSAGE_JSON: LiteralString = f"""(
    SELECT row_to_json(shown)::text
    FROM (
        SELECT m.id, m.message_id, m.session_id, canonical.address, m.direction, m.from_number, m.to_number,
            {_CONTENT},
            m.status, m.timestamp,
            to_char(m.created_at AT TIME ZONE 'UTC', {_ISO_FORMAT}) AS created_at,
            m.time_source, m.sender, m.sender_name, m.unread,
            m.edited_at IS NOT NULL AS edited,
            to_char(to_timestamp(m.edited_at / 1000.0) AT TIME ZONE 'UTC', {_ISO_FORMAT}) AS edited_at,
            m.deleted_at IS NOT NULL AS deleted,
            to_char(to_timestamp(m.deleted_at / 1000.0) AT TIME ZONE 'UTC', {_ISO_FORMAT}) AS deleted_at,
            coalesce((
                SELECT json_agg(
                    json_build_object(
                        'emoji', r.text, 'direction', r.direction, 'sender', r.sender,
                        'reacted_at', to_char(to_timestamp(r.occurred_at / 1000.0) AT TIME ZONE 'UTC', {_ISO_FORMAT})
                    )
                    ORDER BY r.occurred_at, r.digest
                )
                FROM (
                    -- The newest of each reactor; an empty one takes back what was there.
                    SELECT DISTINCT ON (k.direction, k.sender) k.text, k.direction, k.sender, k.occurred_at, k.digest
                    FROM message_updates AS k
                    JOIN chats AS said ON said.chat_id = k.chat_id
                    WHERE k.key_id = m.key_id AND k.kind = 'reaction'
                        AND said.canonical_chat_id = canonical.chat_id
                    ORDER BY k.direction, k.sender, k.occurred_at DESC, k.digest DESC
                ) AS r
                WHERE r.text <> ''
            ), '[]') AS reactions,
            CASE WHEN %(versions)s THEN coalesce((
                SELECT json_agg(
                    json_build_object(
                        'text', v.text,
                        'written_at', to_char(to_timestamp(v.at / 1000.0) AT TIME ZONE 'UTC', {_ISO_FORMAT})
                    )
                    ORDER BY v.at, v.digest NULLS FIRST
                )
                FROM (
                    SELECT m.original_text AS text, m.timestamp AS at, NULL::bytea AS digest
                    UNION ALL
                    SELECT k.text, k.occurred_at, k.digest
                    FROM message_updates AS k
                    JOIN chats AS said ON said.chat_id = k.chat_id
                    WHERE k.key_id = m.key_id AND k.kind = 'edit' AND k.direction = m.direction
                        AND (k.sender IS NULL OR m.sender IS NULL OR k.sender = m.sender)
                        AND said.canonical_chat_id = canonical.chat_id
                ) AS v
                WHERE m.edited_at IS NOT NULL AND m.deleted_at IS NULL
            ), '[]') END AS versions,
            -- Of our own messages the send that each began as, so that a reader replaces the one by the other.
            CASE WHEN m.direction = 'outgoing' THEN (
                SELECT s.send_id FROM sends AS s WHERE s.key_id = m.key_id LIMIT 1
            ) END AS send_id,
            NULL::text AS reason, m.rev
    ) AS shown
)"""  # noqa: S608 - assembled from literals only, which the type proves
"""A message as JSON text, of `m` (a row of whatsapp_messages) and `head` (its chat's row: chat_id, address).

`%(versions)s` says whether the texts before each edit are wanted; without them `versions` is null."""

SEND_JSON: LiteralString = f"""(
    SELECT row_to_json(shown)::text
    FROM (
        SELECT NULL::bigint AS id, coalesce(s.message_id, s.gateway_id) AS message_id, s.session_id, s.address,
            'outgoing' AS direction, s.from_number, s.address AS to_number,
            {_SEND_CONTENT},
            CASE s.state WHEN 'accepted' THEN 'pending' ELSE s.state END AS status,
            s.timestamp,
            to_char(s.created_at AT TIME ZONE 'UTC', {_ISO_FORMAT}) AS created_at,
            'message' AS time_source,
            NULL::text AS sender, NULL::text AS sender_name, false AS unread,
            false AS edited, NULL::text AS edited_at, false AS deleted, NULL::text AS deleted_at,
            '[]'::json AS reactions, CASE WHEN %(versions)s THEN '[]'::json END AS versions,
            s.send_id, s.reason, s.rev
    ) AS shown
)"""  # noqa: S608 - assembled from literals only, which the type proves
"""A send that is no message (yet), in the shape of one, of `s` (a row of sends). It has no `id`, and the reason why it
failed or is unknown."""

CHAT_JSON: LiteralString = f"""(
    SELECT row_to_json(shown)::text
    FROM (
        SELECT CASE WHEN c.kind = 'phone' THEN c.address END AS phone_number, c.name,
            to_char(to_timestamp(c.last_timestamp / 1000.0) AT TIME ZONE 'UTC', {_ISO_FORMAT}) AS last_message_at,
            c.unread AS unread_count, c.session_id, c.address, c.kind, c.marked_unread,
            to_char(to_timestamp(c.waiting_since / 1000.0) AT TIME ZONE 'UTC', {_ISO_FORMAT}) AS waiting_since,
            CASE WHEN m.id IS NOT NULL THEN json_build_object(
                'id', m.id, 'message_id', m.message_id, 'direction', m.direction, 'message_type', m.message_type,
                'preview', CASE
                    WHEN m.deleted_at IS NOT NULL THEN '[deleted]'
                    WHEN coalesce(m.message_text, m.caption, '') <> ''
                        THEN left(coalesce(nullif(m.message_text, ''), m.caption), 200)
                    WHEN m.content_state = 'undecrypted' THEN '[waiting for this message]'
                    ELSE '[' || m.message_type || ']'
                END,
                'status', m.status, 'timestamp', m.timestamp, 'sender_name', m.sender_name
            ) END AS last_message,
            c.rev
    ) AS shown
)"""  # noqa: S608 - assembled from literals only, which the type proves
"""A chat as JSON text, of `c` (a head in chats) and `m` (its last message, or nulls)."""
