"""Stores message updates (acks, edits, deletes and reactions) and recomputes messages from them.

The updates and the copies of a message are sets that only grow, and `recompute` is a function of both. Their order of
arrival therefore does not matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import LiteralString, cast

from store.history.messages.event_updates import MessageUpdate
from store.model import message_columns
from store.postgres import json_rows
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class RecomputedMessage:
    """A changed row of a message, and the kinds of its changes."""

    row_id: int
    chat_id: int
    status_changed: bool
    edit_changed: bool
    delete_changed: bool
    copies_changed: bool
    """True if another copy is shown or its flags changed, so that the chat's unread messages must be recounted."""
    failure_changed: bool
    """True if the message failed, or was sent after all. A failed message does not answer the chat."""


def add(connection: Connection, updates: Iterable[MessageUpdate]) -> None:
    """Store the updates. An update that has several copies takes the time of the earliest one."""
    connection.execute(
        _ADD,
        {"rows": json_rows.encode(update._asdict() for update in updates)},
    )


def recompute(connection: Connection, key_ids: list[int]) -> list[RecomputedMessage]:
    """Recompute the messages with these keys from their copies and updates. Return the rows that changed."""
    if not key_ids:
        return []
    recomputed = connection.execute(
        f"""
        WITH grouped AS (
            SELECT m.id, m.key_id, m.session_id, m.direction, m.sender, m.chat_id, c.canonical_chat_id,
                g.is_in_group, g.is_notice,
                -- An edit replaces the caption if there is media, otherwise the text.
                m.message_type IN ('image', 'video', 'audio', 'document', 'sticker') AS is_media,
                CASE
                    WHEN m.edited_at IS NOT NULL THEN m.original_text
                    WHEN m.message_type IN ('image', 'video', 'audio', 'document', 'sticker') THEN m.caption
                    ELSE m.message_text
                END AS original,
                -- Of the copies under several addresses of one chat, the best is shown.
                row_number() OVER (
                    message ORDER BY m.content_rank DESC, m.content_time, m.content_tie, c.address, c.session_id
                ) > 1 AS is_duplicate,
                max(status_rank(m.base_status)) OVER message AS rank,
                -- A copy from the past, or of a notice, is not unread, but does not prove that it was read.
                coalesce(
                    bool_and(m.unread) FILTER (WHERE NOT m.is_history AND NOT g.is_notice) OVER message, false
                ) AS unread,
                bool_or(m.starred) OVER message AS starred
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            CROSS JOIN LATERAL (
                SELECT c.address LIKE '%%@g.us' AS is_in_group,
                    c.address LIKE '%%@g.us' AND m.message_type = 'system' AS is_notice
            ) AS g
            WHERE m.key_id = ANY(%(keys)s)
            -- Window functions, because a join of copies and messages would compare each with each.
            WINDOW message AS (PARTITION BY m.key_id, c.canonical_chat_id, m.direction)
        ),
        copies AS (
            SELECT g.*, count(*) FILTER (WHERE NOT g.is_duplicate) OVER (PARTITION BY g.key_id) AS same_key
            FROM grouped AS g
        ),
        recomputed AS (
            SELECT copies.id, copies.is_media, copies.original, copies.is_duplicate,
                copies.unread AND NOT copies.is_notice AS unread, copies.starred,
                status_from_rank(greatest(copies.rank, acked.rank)) AS status,
                edited.text, edited.occurred_at AS edited_at, deleted.deleted_at
            FROM copies
            LEFT JOIN LATERAL (
                SELECT max(status_rank(k.status)) AS rank
                FROM message_updates AS k
                LEFT JOIN chats AS c USING (chat_id)
                WHERE k.key_id = copies.key_id AND k.kind = 'ack'
                    -- An ack without an address counts only if it cannot mean another message.
                    AND (c.canonical_chat_id = copies.canonical_chat_id
                        OR (k.chat_id IS NULL AND copies.same_key = 1))
            ) AS acked ON true
            LEFT JOIN LATERAL (
                SELECT k.text, k.occurred_at
                FROM message_updates AS k
                LEFT JOIN chats AS c USING (chat_id)
                WHERE k.key_id = copies.key_id AND k.kind = 'edit'
                    -- An edit without an address or an editor counts only if it cannot mean another message.
                    AND (c.canonical_chat_id = copies.canonical_chat_id
                        OR (k.chat_id IS NULL AND copies.same_key = 1))
                    AND (k.direction = copies.direction OR (k.direction IS NULL AND copies.same_key = 1))
                    AND {message_columns.same_sender("copies", "k")}
                ORDER BY k.occurred_at DESC, k.digest DESC
                LIMIT 1
            ) AS edited ON true
            LEFT JOIN LATERAL (
                SELECT max(k.occurred_at) AS deleted_at
                FROM message_updates AS k
                JOIN chats AS c USING (chat_id)
                WHERE k.key_id = copies.key_id AND k.kind = 'delete'
                    AND c.canonical_chat_id = copies.canonical_chat_id
                    -- WhatsApp accepts the deletion of another member's message only from a group's admins.
                    AND (copies.is_in_group
                        OR (k.direction = copies.direction OR (k.direction IS NULL AND copies.same_key = 1))
                            AND {message_columns.same_sender("copies", "k")})
            ) AS deleted ON true
        ),
        changes AS (
            SELECT m.id, s.status, s.edited_at, s.deleted_at, s.is_duplicate, s.unread, s.starred,
                CASE WHEN s.is_media THEN m.message_text
                    WHEN s.edited_at IS NULL THEN s.original ELSE s.text END AS message_text,
                -- An edit without a text removes a caption.
                CASE WHEN NOT s.is_media THEN m.caption
                    WHEN s.edited_at IS NULL THEN s.original ELSE nullif(s.text, '') END AS caption,
                CASE WHEN s.edited_at IS NOT NULL THEN s.original END AS original_text,
                m.status IS DISTINCT FROM s.status AS status_changed,
                m.edited_at IS DISTINCT FROM s.edited_at AS edit_changed,
                m.deleted_at IS DISTINCT FROM s.deleted_at AS delete_changed,
                (m.is_duplicate, m.unread, m.starred) IS DISTINCT FROM (s.is_duplicate, s.unread, s.starred)
                    AS copies_changed,
                (m.status IS DISTINCT FROM 'failed') <> (s.status IS DISTINCT FROM 'failed') AS failure_changed
            FROM recomputed AS s
            JOIN whatsapp_messages AS m USING (id)
        )
        UPDATE whatsapp_messages AS m
        SET status = a.status, message_text = a.message_text, caption = a.caption, original_text = a.original_text,
            edited_at = a.edited_at, deleted_at = a.deleted_at, is_duplicate = a.is_duplicate, unread = a.unread,
            starred = a.starred, rev = m.rev + 1
        FROM changes AS a
        WHERE m.id = a.id
            AND (a.status_changed OR a.edit_changed OR a.delete_changed OR a.copies_changed
                OR (m.message_text, m.caption) IS DISTINCT FROM (a.message_text, a.caption))
        RETURNING m.id, m.chat_id, a.status_changed, a.edit_changed, a.delete_changed, a.copies_changed,
            a.failure_changed
        """,
        {"keys": key_ids},
    )
    return [
        RecomputedMessage(*row) for row in cast("Iterable[tuple[int, int, bool, bool, bool, bool, bool]]", recomputed)
    ]


def find_visible_messages(connection: Connection, key_ids: list[int]) -> list[tuple[int, int]]:
    """Return (row id, chat_id) of the messages with these keys, without duplicates."""
    if not key_ids:
        return []
    found = connection.execute(
        "SELECT id, chat_id FROM whatsapp_messages WHERE key_id = ANY(%s) AND NOT is_duplicate", [key_ids]
    )
    return list(cast("Iterable[tuple[int, int]]", found))


_BESIDE_DIGEST = tuple(column for column in message_columns.UPDATE if column.name != "digest")
_ADD: LiteralString = f"""
    INSERT INTO message_updates AS k (digest, {message_columns.names(_BESIDE_DIGEST)})
    SELECT decode(r.digest, 'hex'), {message_columns.names(_BESIDE_DIGEST, "r")}
    FROM json_to_recordset(%(rows)s::json) AS r (digest text, {message_columns.declarations(_BESIDE_DIGEST)})
    ORDER BY r.key_id, r.kind, r.digest
    ON CONFLICT (key_id, kind, digest) DO UPDATE
    SET occurred_at = excluded.occurred_at
    WHERE excluded.occurred_at < k.occurred_at
"""
