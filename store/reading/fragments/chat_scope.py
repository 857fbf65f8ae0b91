"""Selects the rows of `chats` that belong to an address, limited to the sessions that the reader may see."""

from dataclasses import dataclass
from typing import LiteralString, cast

from store.postgres.connections import Connection

MEMBERS_CTE: LiteralString = """
canonical_chats AS MATERIALIZED (
    SELECT DISTINCT c.canonical_chat_id AS chat_id
    FROM chats AS c
    WHERE c.address = %(address)s
        AND (%(sessions)s::text[] IS NULL OR c.session_id = ANY(%(sessions)s))
),
members AS MATERIALIZED (
    SELECT c.chat_id, c.chat_id AS canonical_chat_id, c.address, c.kind
    FROM canonical_chats
    JOIN chats AS c USING (chat_id)
    UNION ALL
    SELECT c.chat_id, canonical.chat_id AS canonical_chat_id, canonical.address, canonical.kind
    FROM canonical_chats
    JOIN chats AS canonical USING (chat_id)
    JOIN chats AS c ON c.merged_into = canonical.chat_id
)
"""
"""Common table expressions for queries about one chat. `members` contains each address of the chats that have this
address, with its canonical chat.
"""


@dataclass(frozen=True, slots=True)
class ChatScope:
    address: str
    """The normalised address; see store/model/addresses.py."""
    sessions: tuple[str, ...] | None
    """The sessions that the reader may see, or None for all."""

    def parameters(self) -> dict[str, object]:
        return {"address": self.address, "sessions": None if self.sessions is None else list(self.sessions)}


def chat_ids(connection: Connection, scope: ChatScope) -> list[int]:
    """Return the ids of the canonical chats."""
    cursor = connection.execute(
        f"WITH {MEMBERS_CTE} SELECT c.chat_id FROM canonical_chats AS c ORDER BY c.chat_id",
        scope.parameters(),
    )
    return [cast("int", chat_id) for (chat_id,) in cursor]
