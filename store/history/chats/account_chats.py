"""Merges the chats of an account's other sessions into the chats of its primary session."""

from collections.abc import Collection, Iterable
from typing import cast

from store.history.sessions.accounts import Accounts
from store.model.keys import ChatAddress
from store.postgres import json_rows
from store.postgres.connections import Connection


def in_other_sessions(
    connection: Connection, chat_addresses: Iterable[ChatAddress], known_accounts: Accounts
) -> set[ChatAddress]:
    """Return the chats with these addresses in the other sessions of the account."""
    rows = [
        {"session_id": other, "address": address}
        for session_id, address in chat_addresses
        for other in known_accounts.sessions_of(session_id)
        if other != session_id
    ]
    found = connection.execute(
        """
        SELECT c.session_id, c.address
        FROM json_to_recordset(%(rows)s::json) AS r (session_id text, address text)
        JOIN chats AS c USING (session_id, address)
        """,
        {"rows": json_rows.encode(rows)},
    )
    return set(cast("Iterable[ChatAddress]", found))


def follow_primary(
    connection: Connection, chat_addresses: Collection[ChatAddress], known_accounts: Accounts
) -> list[tuple[int, int, int]]:
    """Merge these locked chats of other sessions into the canonical chats of the primary session.

    Returns the chats that changed as (chat_id, old canonical chat, new canonical chat).
    """
    if not chat_addresses:
        return []
    changed = connection.execute(
        """
        UPDATE chats AS c
        SET merged_into = p.canonical_chat_id, rev = c.rev + 1
        FROM json_to_recordset(%(rows)s::json) AS r (session_id text, address text, primary_id text)
        JOIN chats AS p ON p.session_id = r.primary_id AND p.address = r.address
        JOIN chats AS before ON before.session_id = r.session_id AND before.address = r.address
        WHERE c.chat_id = before.chat_id AND before.merged_into IS DISTINCT FROM p.canonical_chat_id
        RETURNING c.chat_id, before.canonical_chat_id, c.merged_into
        """,
        {
            "rows": json_rows.encode(
                {"session_id": session_id, "address": address, "primary_id": known_accounts.primary_of(session_id)}
                for session_id, address in chat_addresses
            )
        },
    )
    return cast("list[tuple[int, int, int]]", changed.fetchall())
