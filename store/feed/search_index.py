"""Keeps the search index up to date with the messages, by following the change feed."""

from collections.abc import Sequence
from typing import cast

from store.postgres import advisory_locks, errors
from store.postgres.connections import Connection


def advance(connection: Connection, limit: int) -> bool:
    """Index the next `limit` changes; returns true if there may be more. Does nothing while another process does it."""
    with errors.translated(), connection.transaction():
        if not advisory_locks.try_acquire(connection, advisory_locks.SEARCH_INDEX):
            return False
        return _advance_locked(connection, limit)


def remove(connection: Connection, row_ids: Sequence[int]) -> None:
    """Remove messages that are about to be deleted, in the caller's transaction.

    Holds up `advance` until the transaction ends: it would index messages that are gone.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [advisory_locks.SEARCH_INDEX])
    connection.execute("DELETE FROM search_index WHERE id = ANY(%s)", [list(row_ids)])


def _advance_locked(connection: Connection, limit: int) -> bool:
    row = connection.execute(
        """
        WITH batch AS MATERIALIZED (
            SELECT c.xid, c.change_id, c.kind, c.message
            FROM search_index_position AS u
            CROSS JOIN LATERAL (
                SELECT c.xid, c.change_id, c.kind, c.message
                FROM changes AS c
                WHERE (c.xid, c.change_id) > (u.xid, u.change_id) AND c.xid < pg_snapshot_xmin(pg_current_snapshot())
                ORDER BY c.xid, c.change_id
                LIMIT %(at_most)s
            ) AS c
        ),
        documents AS MATERIALIZED (
            SELECT m.id, m.chat_id, m.session_id, m.direction, m.message_type, m.timestamp,
                CASE WHEN m.deleted_at IS NULL
                    THEN search_document(concat_ws(' ', m.message_text, m.caption, m.file_name)) ELSE '' END AS text
            FROM (
                SELECT DISTINCT b.message
                FROM batch AS b
                WHERE b.kind IN ('message', 'edit', 'delete')
                ORDER BY b.message
            ) AS b
            JOIN whatsapp_messages AS m ON m.id = b.message
        ),
        deleted AS (
            DELETE FROM search_index AS s
            USING documents AS t
            WHERE s.id = t.id AND t.text = ''
        ),
        indexed AS (
            INSERT INTO search_index AS s (id, chat_id, session_id, direction, message_type, timestamp, text)
            SELECT t.id, t.chat_id, t.session_id, t.direction, t.message_type, t.timestamp, t.text
            FROM documents AS t
            WHERE t.text <> ''
            ON CONFLICT (id) DO UPDATE
            -- A replay may move a message to another chat.
            SET chat_id = excluded.chat_id, session_id = excluded.session_id, direction = excluded.direction,
                message_type = excluded.message_type, timestamp = excluded.timestamp, text = excluded.text
            WHERE (s.chat_id, s.session_id, s.direction, s.message_type, s.timestamp, s.text) IS DISTINCT FROM
                (excluded.chat_id, excluded.session_id, excluded.direction, excluded.message_type, excluded.timestamp,
                    excluded.text)
        ),
        advanced AS (
            UPDATE search_index_position AS u
            SET xid = b.xid, change_id = b.change_id
            FROM (SELECT b.xid, b.change_id FROM batch AS b ORDER BY b.xid DESC, b.change_id DESC LIMIT 1) AS b
        )
        SELECT count(*) FROM batch
        """,
        {"at_most": limit},
    ).fetchone()
    return cast("int", row[0]) == limit if row else False
