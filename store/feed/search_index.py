"""Keeps the search index up to date with the messages, by following the change feed."""

from collections.abc import Iterable, Sequence
from typing import cast

from store.feed import search_document
from store.model import spelling
from store.postgres import advisory_locks, errors
from store.postgres.connections import Connection


def advance(connection: Connection, limit: int) -> bool:
    """Index the next `limit` changes, or messages whose spelling is old; returns true if there may be more.

    Does nothing while another process does it.
    """
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
    changes = _next_changes(connection, limit)
    if changes:
        _index(connection, sorted({message for _, _, message in changes if message is not None}))
        connection.execute("UPDATE search_index_position SET xid = %s::xid8, change_id = %s", changes[-1][:2])
    respelled = _respell(connection, limit - len(changes)) if len(changes) < limit else 0
    return len(changes) + respelled >= limit


def _next_changes(connection: Connection, limit: int) -> list[tuple[str, int, int | None]]:
    """The position of each change, and the message whose document it may have changed."""
    cursor = connection.execute(
        """
        SELECT c.xid::text, c.change_id, CASE WHEN c.kind IN ('message', 'edit', 'delete') THEN c.message END
        FROM search_index_position AS p
        CROSS JOIN LATERAL (
            SELECT c.xid, c.change_id, c.kind, c.message
            FROM changes AS c
            WHERE (c.xid, c.change_id) > (p.xid, p.change_id) AND c.xid < pg_snapshot_xmin(pg_current_snapshot())
            ORDER BY c.xid, c.change_id
            LIMIT %s
        ) AS c
        ORDER BY c.xid, c.change_id
        """,
        [limit],
    )
    return cast("list[tuple[str, int, int | None]]", cursor.fetchall())


def _respell(connection: Connection, limit: int) -> int:
    """Index messages again whose documents have an older spelling; returns how many.

    They are those that another version of this program wrote, the newest first.
    """
    cursor = connection.execute(
        "SELECT s.id FROM search_index AS s WHERE s.spelling < %s ORDER BY s.spelling DESC, s.id DESC LIMIT %s",
        [spelling.VERSION, limit],
    )
    row_ids = sorted(cast("int", row_id) for (row_id,) in cursor)
    if row_ids:
        _index(connection, row_ids)
    if len(row_ids) < limit:
        connection.execute(
            "UPDATE search_index_position SET spelling = %(version)s WHERE spelling < %(version)s",
            {"version": spelling.VERSION},
        )
    return len(row_ids)


def _index(connection: Connection, row_ids: Sequence[int]) -> None:
    """Write the documents of these messages, except for those that are the same."""
    cursor = connection.execute(
        """
        SELECT m.id, left(concat_ws(' ', m.message_text, m.caption, m.file_name), %s)
        FROM whatsapp_messages AS m
        WHERE m.id = ANY(%s) AND m.deleted_at IS NULL
        """,
        [search_document.MAX_LENGTH, list(row_ids)],
    )
    documents = {row_id: search_document.build(text) for row_id, text in cast("Iterable[tuple[int, str]]", cursor)}
    parameters = {
        "ids": list(row_ids),
        "documents": [documents.get(row_id, "") for row_id in row_ids],
        "spelling": spelling.VERSION,
    }
    # Never updated, because a trigger takes an update for one by a worker that does not know the column `spelling`.
    connection.execute(
        """
        DELETE FROM search_index AS s
        WHERE s.id = ANY(%(ids)s::bigint[]) AND NOT EXISTS (
                SELECT
                FROM unnest(%(ids)s::bigint[], %(documents)s::text[]) AS d (id, text)
                JOIN whatsapp_messages AS m USING (id)
                WHERE d.id = s.id
                    AND (s.text, s.spelling, s.chat_id, s.session_id, s.direction, s.message_type, s.timestamp) = (
                        d.text, %(spelling)s, m.chat_id, m.session_id, m.direction, m.message_type, m.timestamp
                    )
            )
        """,
        parameters,
    )
    connection.execute(
        """
        INSERT INTO search_index (id, chat_id, session_id, direction, message_type, timestamp, text, spelling)
        SELECT m.id, m.chat_id, m.session_id, m.direction, m.message_type, m.timestamp, d.text, %(spelling)s
        FROM unnest(%(ids)s::bigint[], %(documents)s::text[]) AS d (id, text)
        JOIN whatsapp_messages AS m USING (id)
        WHERE d.text <> ''
        ORDER BY m.id
        ON CONFLICT (id) DO NOTHING
        """,
        parameters,
    )
