"""Where a reader looks: an address, within the sessions that the reader may see."""

from dataclasses import dataclass
from typing import LiteralString

MEMBERS_CTE: LiteralString = """
canonical_chats AS MATERIALIZED (
    SELECT DISTINCT c.canonical_chat_id AS chat_id
    FROM chats AS c
    WHERE c.address = %(address)s
        AND (%(sessions)s::text[] IS NULL OR c.session_id = ANY(%(sessions)s))
),
members AS MATERIALIZED (
    SELECT c.chat_id, c.chat_id AS canonical_chat_id, c.address, c.kind
    FROM canonical_chats AS h
    JOIN chats AS c ON c.chat_id = h.chat_id
    UNION ALL
    SELECT c.chat_id, canonical.chat_id AS canonical_chat_id, canonical.address, canonical.kind
    FROM canonical_chats AS h
    JOIN chats AS canonical ON canonical.chat_id = h.chat_id
    JOIN chats AS c ON c.merged_into = h.chat_id
)
"""
"""The rows of `chats` that one address means: every address of the chats it is an address of. A fragment of the
queries below WITH, because all that ask about one chat must mean the same rows."""


@dataclass(frozen=True, slots=True)
class ChatScope:
    address: str
    """In the store's spelling (store/model/facts.py)."""
    sessions: tuple[str, ...] | None
    """The sessions that may be looked at; None: all of them."""

    def parameters(self) -> dict[str, object]:
        return {"address": self.address, "sessions": None if self.sessions is None else list(self.sessions)}
