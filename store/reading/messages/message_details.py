"""Reads everything known about one message: its texts, receipts, copies and raw events."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from store.postgres.connections import Connection
from store.reading.fragments.chat_scope import ChatScope
from store.reading.fragments.json_views import iso_ms
from store.reading.fragments.message_json import MESSAGE_JSON
from store.reading.messages import message_pages

MAX_RECEIPTS = 4096
"""The number of newest receipts that are read. A group has up to 1,024 members, each of which reports up to four
states.
"""
MAX_EVENTS = 20
MAX_SHOWN_BODY_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class RawEvent:
    """A raw event about the message."""

    sender: str | None
    """The sender as `kind:name`, or None for SAK."""
    received_at: int
    body: bytes
    """The first MAX_SHOWN_BODY_BYTES of the body."""


def read(connection: Connection, scope: ChatScope, message_id: str) -> tuple[int, str] | None:
    """Return the row id and the JSON of the newest message with this id in the chat.

    Returns None if there is none, or only a send.
    """
    position = message_pages.locate(connection, scope, message_id)
    if position is None or position.id == 0:
        return None
    row = connection.execute(
        f"""
        SELECT row_to_json(view)::text
        FROM (
            SELECT {MESSAGE_JSON}::json AS message, (
                    SELECT s.token FROM sends AS s WHERE s.key_id = m.key_id AND m.direction = 'outgoing' LIMIT 1
                ) AS sent_by, (
                    SELECT coalesce(json_agg(
                        json_build_object('status', u.status, 'at', {iso_ms("u.occurred_at")})
                        ORDER BY u.occurred_at, u.digest
                    ), '[]')
                    FROM (
                        SELECT u.status, u.occurred_at, u.digest
                        FROM message_updates AS u
                        LEFT JOIN chats AS c ON c.chat_id = u.chat_id
                        WHERE u.key_id = m.key_id AND u.kind = 'ack'
                            AND coalesce(c.canonical_chat_id, canonical.chat_id) = canonical.chat_id
                        ORDER BY u.occurred_at DESC, u.digest
                        LIMIT %(receipts)s
                    ) AS u
                ) AS receipts, (
                    SELECT json_agg(
                        json_build_object(
                            'session_id', o.session_id, 'address', c.address,
                            'received_at', {iso_ms("(o.receive_order / 65536)")}
                        )
                        ORDER BY o.receive_order, o.id
                    )
                    FROM whatsapp_messages AS o
                    JOIN chats AS c ON c.chat_id = o.chat_id
                    WHERE o.key_id = m.key_id AND o.direction = m.direction
                        AND c.canonical_chat_id = canonical.chat_id
                ) AS copies
            FROM whatsapp_messages AS m
            JOIN chats AS member ON member.chat_id = m.chat_id
            JOIN chats AS canonical ON canonical.chat_id = member.canonical_chat_id
            WHERE m.id = %(id)s
        ) AS view
        """,
        {"id": position.id, "versions": True, "receipts": MAX_RECEIPTS},
    ).fetchone()
    return None if row is None else (position.id, cast("str", row[0]))


def raw_events(connection: Connection, row_id: int, sessions: tuple[str, ...] | None) -> list[RawEvent]:
    """Return the raw events about a message, oldest first.

    If `sessions` is not None, events that also concern another session are left out.
    """
    cursor = connection.execute(
        """
        SELECT e.sender, e.received_at, substr(e.body, 1, %(bytes)s)
        FROM whatsapp_messages AS m
        CROSS JOIN LATERAL (
            SELECT e.event_id FROM raw_events AS e WHERE e.key_id = m.key_id
            UNION
            SELECT k.event_id FROM event_keys AS k WHERE k.key_id = m.key_id
        ) AS linked
        JOIN raw_events AS e ON e.event_id = linked.event_id
        WHERE m.id = %(id)s
            AND (%(sessions)s::text[] IS NULL OR NOT EXISTS (
                SELECT
                FROM (
                    SELECT e.key_id UNION SELECT k.key_id FROM event_keys AS k WHERE k.event_id = e.event_id
                ) AS named
                JOIN message_keys AS k ON k.key_id = named.key_id
                JOIN sessions AS s USING (session_number)
                WHERE s.session_id <> ALL(%(sessions)s)
            ))
        ORDER BY e.received_at, e.event_id
        LIMIT %(limit)s
        """,
        {
            "id": row_id,
            "sessions": None if sessions is None else list(sessions),
            "bytes": MAX_SHOWN_BODY_BYTES,
            "limit": MAX_EVENTS,
        },
        binary=True,
    )
    return [RawEvent(*row) for row in cast("Iterable[tuple[str | None, int, bytes]]", cursor)]
