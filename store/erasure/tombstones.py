"""What is left of messages that were erased: a keyed hash each, so that a late copy is known for what it is."""

from collections.abc import Collection, Iterable
from typing import cast

from store.erasure.key_store import SuppressionKey
from store.erasure.subjects import ErasureSubject
from store.postgres.connections import Connection


def add(connection: Connection, hashes: Collection[bytes]) -> None:
    """Remember that these messages were erased."""
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
    """Do the same for what was retired by age, whose own note (store/migrations/0005_messages.sql) names the chat."""
    found = connection.execute(
        """
        DELETE FROM expired_message_tombstones AS r
        USING message_keys AS k, sessions AS s
        WHERE r.chat_id = ANY(%s) AND k.key_id = r.key_id AND s.session_number = k.session_number
        RETURNING s.session_id, k.message_id
        """,
        [list(chat_ids)],
    )
    add(
        connection,
        {
            key.hash_message(session_id, address, message_id)
            for session_id, message_id in cast("Iterable[tuple[str, str]]", found)
            for address in subject.addresses
        },
    )
