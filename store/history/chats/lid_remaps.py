"""Updates phone numbers, and finds the messages to recompute, after an address was merged into another chat."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import cast

from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class LidRemap:
    """An alias whose canonical chat changed."""

    chat_id: int
    old_canonical_chat_id: int
    new_canonical_chat_id: int


def rewrite_phone_numbers(connection: Connection, remaps: Iterable[LidRemap]) -> None:
    """Set from_number and to_number in the messages of these aliases to their phones, or to null if a LID has none."""
    connection.execute(
        """
        UPDATE whatsapp_messages AS m
        SET from_number = CASE WHEN m.direction = 'incoming' THEN phone.address ELSE m.from_number END,
            to_number = CASE WHEN m.direction = 'outgoing' THEN phone.address ELSE m.to_number END
        FROM chats AS c
        LEFT JOIN chats AS phone ON phone.chat_id = c.canonical_chat_id AND phone.kind = 'phone'
        -- In a group, from_number is the sender's number.
        WHERE m.chat_id = c.chat_id AND c.chat_id = ANY(%(chats)s) AND c.kind IN ('lid', 'phone')
        """,
        {"chats": [remap.chat_id for remap in remaps]},
    )


def affected_key_ids(connection: Connection, remaps: Collection[LidRemap]) -> list[int]:
    """Return the keys of messages that must be recomputed because these aliases moved to another chat.

    These are messages of the aliases that have updates or copies, and messages of groups with updates by a person in
    these chats.
    """
    found = connection.execute(
        """
        WITH people AS (
            SELECT c.session_id, c.address
            FROM chats AS c
            WHERE c.canonical_chat_id = ANY(%(canonical)s) OR c.chat_id = ANY(%(chats)s)
        )
        SELECT k.key_id FROM message_updates AS k WHERE k.chat_id = ANY(%(chats)s)
        UNION
        SELECT m.key_id
        FROM whatsapp_messages AS m
        WHERE m.chat_id = ANY(%(chats)s)
            AND (
                EXISTS (SELECT FROM message_updates AS k WHERE k.key_id = m.key_id)
                OR EXISTS (SELECT FROM whatsapp_messages AS o WHERE o.key_id = m.key_id AND o.id <> m.id)
            )
        UNION
        SELECT u.key_id
        FROM people AS p
        JOIN message_updates AS u ON u.sender = p.address
        JOIN message_keys AS k USING (key_id)
        JOIN sessions AS s USING (session_number)
        WHERE s.session_id = p.session_id
        """,
        {
            "chats": [remap.chat_id for remap in remaps],
            "canonical": [
                chat_id for remap in remaps for chat_id in (remap.old_canonical_chat_id, remap.new_canonical_chat_id)
            ],
        },
    )
    return [cast("int", key_id) for (key_id,) in found]
