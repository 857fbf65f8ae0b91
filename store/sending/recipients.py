"""Finds the phone to which messages for a chat can be sent. Any session of the account may know it."""

from typing import cast

from store.postgres.connections import Connection


def exact_address(connection: Connection, session_id: str, address: str) -> str | None:
    """Return the address if the session has a chat with exactly this address, else None."""
    found = connection.execute(
        "SELECT address FROM chats"
        " WHERE session_id = primary_session(%s) AND address = %s AND last_timestamp IS NOT NULL",
        [session_id, address],
    ).fetchone()
    return None if found is None else cast("str", found[0])


def phone_of(connection: Connection, session_id: str, lid: str) -> str | None:
    """Return the phone to which a LID is resolved in this session, or None if it is not resolved."""
    row = connection.execute(
        """
        SELECT phone.address
        FROM chats AS l
        JOIN chats AS phone ON phone.chat_id = l.merged_into
        WHERE l.session_id = primary_session(%s) AND l.address = %s
        """,
        [session_id, lid],
    ).fetchone()
    return None if row is None else str(row[0])


def spelling_of_last_message(connection: Connection, session_id: str, phone: str) -> str | None:
    """Return the national spelling of a phone that its last message used, or None if no message came.

    This spelling is known to reach the phone.
    """
    row = connection.execute(
        """
        SELECT c.address
        FROM chats AS given
        JOIN chats AS c ON c.canonical_chat_id = given.canonical_chat_id AND c.kind = 'phone'
        CROSS JOIN LATERAL (
            SELECT max(m.timestamp) AS timestamp
            FROM whatsapp_messages AS m
            WHERE m.chat_id = c.chat_id AND m.direction = 'incoming'
        ) AS latest
        WHERE given.session_id = primary_session(%s) AND given.address = %s AND latest.timestamp IS NOT NULL
        ORDER BY latest.timestamp DESC, c.address
        LIMIT 1
        """,
        [session_id, phone],
    ).fetchone()
    return None if row is None else str(row[0])
