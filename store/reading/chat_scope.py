"""Where a reader looks: an address, within the sessions that the reader may see."""

from dataclasses import dataclass
from typing import LiteralString

MEMBERS_CTE: LiteralString = """
heads AS MATERIALIZED (
    SELECT DISTINCT coalesce(c.merged_into, c.chat_id) AS chat_id
    FROM chats AS c
    WHERE c.address = %(address)s
        AND (%(sessions)s::text[] IS NULL OR c.session_id = ANY(%(sessions)s))
),
members AS MATERIALIZED (
    SELECT c.chat_id, c.chat_id AS head, c.address, c.kind
    FROM heads AS h
    JOIN chats AS c ON c.chat_id = h.chat_id
    UNION ALL
    SELECT c.chat_id, head.chat_id AS head, head.address, head.kind
    FROM heads AS h
    JOIN chats AS head ON head.chat_id = h.chat_id
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
