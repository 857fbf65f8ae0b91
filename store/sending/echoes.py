"""Finds the message that a send without an answer became: most gateways report what they sent as an event.

An event may name the send itself. Otherwise a message is that of a send if both agree in chat, type, text and time, and
neither can be another's.
"""

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from store.postgres import errors
from store.postgres.connections import Connection
from store.sending import sends
from store.sending.sends import SendResult

BEFORE_MS, AFTER_MS = 60_000, 120_000
"""How far, in ms, the message's time may lie before that of the send (clock skew) and after it."""
_DAYS = 1
"""Days for which the message is waited for."""


@dataclass(frozen=True, slots=True)
class Echoes:
    message_ids: tuple[str, ...]
    """Messages that no send has yet."""
    rivals: int
    """Other sends without a result that each of them could be."""


def settle(connection: Connection) -> list[UUID]:
    """Complete the unknown sends whose message has come; returns their ids. SAK's have its list instead."""
    with errors.translated():
        rows = connection.execute(
            """
            SELECT s.send_id
            FROM sends AS s
            WHERE s.state = 'unknown' AND s.session_id LIKE '%%:%%'
                AND s.created_at > now() - make_interval(days => %(days)s)
            ORDER BY s.timestamp DESC
            LIMIT 100
            """,
            {"days": _DAYS},
        ).fetchall()
    return [send_id for (send_id,) in cast("list[tuple[UUID]]", rows) if _settle(connection, send_id)]


def _settle(connection: Connection, send_id: UUID) -> bool:
    found = find(connection, send_id)
    if len(found.message_ids) != 1 or found.rivals:
        return False
    sends.complete(connection, send_id, SendResult("sent", found.message_ids[0]), from_states=("unknown",))
    return True


def find(connection: Connection, send_id: UUID) -> Echoes:
    """The messages that the send may have become."""
    with errors.translated():
        named = connection.execute(
            """
            SELECT DISTINCT k.message_id
            FROM sends AS s
            JOIN chats AS own USING (chat_id)
            JOIN chats AS c ON c.canonical_chat_id = own.canonical_chat_id
            JOIN message_updates AS u ON u.chat_id = c.chat_id
            JOIN message_keys AS k ON k.key_id = u.key_id
            WHERE s.send_id = %(send_id)s AND u.kind = 'ack' AND u.status <> 'failed' AND u.text = s.send_id::text
            """,
            {"send_id": send_id},
        ).fetchall()
        if len(named) == 1:
            return Echoes((cast("str", named[0][0]),), rivals=0)
        row = connection.execute(
            """
            WITH sent AS (
                SELECT s.send_id, s.kind, btrim(coalesce(s.text, '')) AS text, c.canonical_chat_id,
                    s.timestamp - %(before)s AS earliest, s.timestamp + %(after)s AS latest
                FROM sends AS s
                JOIN chats AS c USING (chat_id)
                WHERE s.send_id = %(send_id)s
            )
            SELECT array(
                    SELECT DISTINCT m.message_id
                    FROM chats AS c
                    JOIN whatsapp_messages AS m USING (chat_id)
                    WHERE c.canonical_chat_id = sent.canonical_chat_id AND m.direction = 'outgoing'
                        AND m.timestamp BETWEEN sent.earliest AND sent.latest AND m.message_type = sent.kind
                        AND btrim(coalesce(m.original_text, m.message_text, m.caption, '')) = sent.text
                        AND NOT EXISTS (SELECT FROM sends AS o WHERE o.key_id = m.key_id)
                ) AS message_ids,
                (
                    SELECT count(*)
                    FROM chats AS c
                    JOIN sends AS o USING (chat_id)
                    WHERE c.canonical_chat_id = sent.canonical_chat_id AND o.send_id <> sent.send_id
                        AND o.key_id IS NULL AND o.state IN ('accepted', 'unknown') AND o.kind = sent.kind
                        AND btrim(coalesce(o.text, '')) = sent.text
                        AND o.timestamp + %(after)s >= sent.earliest AND o.timestamp - %(before)s <= sent.latest
                ) AS rivals
            FROM sent
            """,
            {"send_id": send_id, "before": BEFORE_MS, "after": AFTER_MS},
        ).fetchone()
    if row is None:
        return Echoes((), 0)
    return Echoes(tuple(cast("list[str]", row[0])), cast("int", row[1]))
