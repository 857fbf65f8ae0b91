"""Reads the profile of a chat: addresses, first and last messages, labels and notes."""

from typing import LiteralString, cast

from store.postgres.connections import Connection
from store.reading.fragments.annotation_sql import LABELS
from store.reading.fragments.chat_scope import MEMBERS_CTE, ChatScope
from store.reading.fragments.json_views import iso_ms, iso_time

NOTES: LiteralString = f"""(
    SELECT coalesce(
        json_agg(
            json_build_object(
                'id', n.note_id, 'text', n.text, 'author', n.author, 'created_at', {iso_time("n.created_at")},
                'changed_at', {iso_time("n.changed_at")}
            )
            ORDER BY n.created_at DESC, n.note_id DESC
        ),
        '[]'
    )
    FROM chat_ids_of(c.chat_id) AS member
    JOIN chat_notes AS n ON n.chat_id = member.chat_id
)"""
"""The notes of a chat as JSON, newest first. Requires the alias `c`, a canonical chat."""


def read(connection: Connection, scope: ChatScope) -> str:
    """Return the profile of each canonical chat with this address as JSON, one per session or account."""
    row = connection.execute(
        f"""
        WITH {MEMBERS_CTE}
        SELECT coalesce(json_agg(row_to_json(view) ORDER BY view.session_id), '[]')::text
        FROM (
            SELECT c.session_id, c.address, c.name, (
                    SELECT json_agg(
                        json_build_object(
                            'session_id', a.session_id, 'address', a.address, 'kind', a.kind, 'name', a.own_name
                        )
                        ORDER BY a.session_id, a.address
                    )
                    FROM members
                    -- LIMIT 1 forces a lookup: without sorting, PostgreSQL would read all chats in this order.
                    CROSS JOIN LATERAL (
                        SELECT a.session_id, a.address, a.kind, a.own_name
                        FROM chats AS a
                        WHERE a.chat_id = members.chat_id
                        LIMIT 1
                    ) AS a
                    WHERE members.canonical_chat_id = c.chat_id
                ) AS addresses,
                {iso_ms("span.first")} AS first_message_at, {iso_ms("c.last_timestamp")} AS last_message_at,
                {iso_ms("span.last_incoming")} AS last_incoming_at,
                {LABELS} AS labels, {NOTES} AS notes
            FROM canonical_chats
            -- As above.
            CROSS JOIN LATERAL (
                SELECT c.chat_id, c.session_id, c.address, c.name, c.last_timestamp
                FROM chats AS c
                WHERE c.chat_id = canonical_chats.chat_id
                LIMIT 1
            ) AS c
            CROSS JOIN LATERAL (
                SELECT min(ends.first) AS first, max(ends.last_incoming) AS last_incoming
                FROM members
                CROSS JOIN LATERAL (
                    SELECT (
                            SELECT m.timestamp FROM whatsapp_messages AS m
                            WHERE m.chat_id = members.chat_id ORDER BY m.timestamp LIMIT 1
                        ) AS first, (
                            SELECT m.timestamp FROM whatsapp_messages AS m
                            WHERE m.chat_id = members.chat_id AND m.direction = 'incoming'
                            ORDER BY m.timestamp DESC LIMIT 1
                        ) AS last_incoming
                ) AS ends
                WHERE members.canonical_chat_id = c.chat_id
            ) AS span
        ) AS view
        """,
        scope.parameters(),
    ).fetchone()
    assert row is not None, "an aggregate has a row"
    return cast("str", row[0])


def labels(connection: Connection, chat_id: int) -> list[str]:
    """Return the labels of a canonical chat, sorted."""
    row = connection.execute(f"SELECT {LABELS} FROM (SELECT %s::bigint AS chat_id) AS c", [chat_id]).fetchone()
    assert row is not None, "a row of constants"
    return cast("list[str]", row[0])


def notes(connection: Connection, chat_id: int) -> str:
    """Return the notes of a canonical chat as JSON, newest first."""
    query: LiteralString = f"SELECT {NOTES}::text FROM (SELECT %s::bigint AS chat_id) AS c"
    row = connection.execute(query, [chat_id]).fetchone()
    assert row is not None, "a row of constants"
    return cast("str", row[0])


def used_labels(connection: Connection, sessions: tuple[str, ...] | None) -> list[tuple[str, int]]:
    """Return the labels of the chats of these sessions (None for all), sorted, with the number of chats of each."""
    cursor = connection.execute(
        """
        SELECT l.label, count(DISTINCT canonical.chat_id)
        FROM chat_labels AS l
        JOIN chats AS c USING (chat_id)
        JOIN chats AS canonical ON canonical.chat_id = c.canonical_chat_id
        WHERE %(sessions)s::text[] IS NULL OR canonical.session_id = ANY(%(sessions)s)
        GROUP BY l.label
        ORDER BY l.label
        """,
        {"sessions": None if sessions is None else list(sessions)},
    )
    return cast("list[tuple[str, int]]", cursor.fetchall())
