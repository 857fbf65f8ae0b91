"""Finds the message that a send without an answer became.

Most gateways report the messages that they sent as events. An event may name the send itself. Otherwise a message
belongs to a send if both agree in chat, type, text and time, and no other message or send fits.
"""

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from store.postgres import errors
from store.postgres.connections import Connection
from store.sending import sends
from store.sending.sends import SendResult

BEFORE_MS, AFTER_MS = 60_000, 120_000
"""The times in ms by which the message may be dated before the send (because of clock skew) and after it."""
_DAYS = 1
"""The number of days to wait for the message."""


@dataclass(frozen=True, slots=True)
class Echoes:
    message_ids: tuple[str, ...]
    """Messages that belong to no send yet."""
    rivals: int
    """The number of other sends without a result that each of these messages may belong to."""


def settle(connection: Connection) -> list[UUID]:
    """Complete unknown sends whose message has arrived and return their ids.

    Sends through SAK are excluded, because they are reconciled with SAK's list.
    """
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
    """Return the messages that may belong to the send."""
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
