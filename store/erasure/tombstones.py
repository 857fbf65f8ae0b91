"""Tombstones of erased messages: one keyed hash each, by which a late copy is recognized."""

from collections.abc import Collection, Iterable
from typing import cast

from store.erasure.key_store import SuppressionKey
from store.erasure.subjects import ErasureSubject
from store.postgres.connections import Connection


def add(connection: Connection, hashes: Collection[bytes]) -> None:
    connection.execute(
        """
        INSERT INTO erased_message_tombstones (mac)
        SELECT r.mac FROM unnest(%s::bytea[]) AS r (mac) ORDER BY r.mac
        ON CONFLICT DO NOTHING
        """,
        [list(hashes)],
    )


def convert_expired(
    connection: Connection, key: SuppressionKey, subject: ErasureSubject, chat_ids: Collection[int]
) -> None:
    """Replace the tombstones of these chats' expired messages, which name the chat, by hashes."""
    cursor = connection.execute(
        """
        DELETE FROM expired_message_tombstones AS t
        USING message_keys AS k, sessions AS s
        WHERE t.chat_id = ANY(%s) AND k.key_id = t.key_id AND s.session_number = k.session_number
        RETURNING s.session_id, k.message_id
        """,
        [list(chat_ids)],
    )
    add(
        connection,
        {
            key.hash_message(session_id, address, message_id)
            for session_id, message_id in cast("Iterable[tuple[str, str]]", cursor)
            for address in subject.addresses
        },
    )
