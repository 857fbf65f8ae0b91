"""Locks a chat for changes made by readers, in the lock order of all writers."""

from collections.abc import Callable
from typing import TypeVar, cast

from store.postgres import errors
from store.postgres.connections import Connection
from store.reading.fragments.chat_scope import MEMBERS_CTE, ChatScope

T = TypeVar("T")
_MAX_ATTEMPTS = 5


class _ChatMovedError(Exception):
    """The chat's addresses changed while the chat was being locked. Nothing was written."""


def run_locked(connection: Connection, scope: ChatScope, act: Callable[[list[int]], T]) -> T:
    """Lock the rows of the chat and run `act` with the ids of the canonical chats, in one transaction.

    Raises TransientError.
    """
    with errors.translated():
        for _ in range(_MAX_ATTEMPTS):
            try:
                with connection.transaction():
                    return act(_lock_chats(connection, scope))
            except _ChatMovedError:
                continue
    raise errors.TransientError("The addresses of the chat keep changing. Try again.")


def _member_chats(connection: Connection, scope: ChatScope) -> dict[int, tuple[int, int]]:
    cursor = connection.execute(
        f"""
        WITH {MEMBERS_CTE}
        SELECT c.chat_id, members.canonical_chat_id,
            CASE WHEN c.kind = 'lid' THEN 0 WHEN c.merged_into IS NULL THEN 2 ELSE 1 END
        FROM members
        JOIN chats AS c ON c.chat_id = members.chat_id
        """,
        scope.parameters(),
    )
    rows = cast("list[tuple[int, int, int]]", cursor.fetchall())
    return {chat_id: (canonical_id, rank) for chat_id, canonical_id, rank in rows}


def _lock_chats(connection: Connection, scope: ChatScope) -> list[int]:
    """Lock the rows of the chat in the order of `addresses.merge_rank` and return the ids of the canonical chats."""
    members = _member_chats(connection, scope)
    for merge_rank in (0, 1, 2):
        connection.execute(
            """
            SELECT c.chat_id
            FROM chats AS c
            WHERE c.chat_id = ANY(%(chats)s)
            ORDER BY c.session_id, c.address
            FOR UPDATE
            """,
            {"chats": [chat_id for chat_id, (_, rank) in members.items() if rank == merge_rank]},
        )
    # A LID may have been merged, or unmerged, while this transaction waited for its row.
    if _member_chats(connection, scope) != members:
        raise _ChatMovedError
    return sorted({canonical_id for canonical_id, _ in members.values()})
