"""Writes the tombstones of erased messages: keyed hashes by which late copies are recognised."""

from collections.abc import Collection
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


def convert_expired(connection: Connection, key: SuppressionKey, subject: ErasureSubject, chat_ids: list[int]) -> None:
    """Replace the tombstones of expired messages in these chats, which name the chat, by keyed hashes."""
    cursor = connection.execute(
        """
        DELETE FROM expired_message_tombstones AS t
        USING message_keys AS k, sessions AS s
        WHERE t.chat_id = ANY(%s) AND k.key_id = t.key_id AND s.session_number = k.session_number
        RETURNING s.session_id, k.message_id
        """,
        [chat_ids],
    )
    expired = cast("list[tuple[str, str]]", cursor.fetchall())
    addresses = subject.addresses
    add(connection, {key.hash_message(session, each, message) for session, message in expired for each in addresses})
