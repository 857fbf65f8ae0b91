"""Builds the condition that a chat was active in a period."""

from dataclasses import dataclass
from typing import LiteralString

from store.model import addresses
from store.model.facts import Direction
from store.reading.fragments.json_views import MAX_BIGINT


@dataclass(frozen=True, slots=True)
class ChatActivity:
    since: int | None = None
    """In ms, inclusive. None for no lower bound."""
    until: int | None = None
    """In ms, exclusive. None for no upper bound."""
    direction: Direction | None = None
    answered: bool = False
    """Only chats in which a message of the period was answered, then or later. `direction` is ignored."""

    def parameters(self) -> dict[str, object]:
        return {"since": self.since or 0, "until": MAX_BIGINT if self.until is None else self.until}

    def condition(self) -> LiteralString:
        """Return the condition as SQL. Requires the alias `c`, a canonical chat, and the values of `parameters`."""
        # The first line ends a scan of the newest chats at the start of the period.
        return f"""(
            c.last_timestamp >= %(since)s
            AND {_ANSWERED if self.answered else _HAS_MESSAGES[self.direction]}
        )"""


_MESSAGES_SINCE: LiteralString = """
    FROM chat_ids_of(c.chat_id) AS member
    JOIN whatsapp_messages AS p ON p.chat_id = member.chat_id
    WHERE p.timestamp >= %(since)s AND NOT p.is_duplicate
"""
_MESSAGES: LiteralString = f"{_MESSAGES_SINCE} AND p.timestamp < %(until)s"
_HAS_MESSAGES: dict[Direction | None, LiteralString] = {
    None: f"EXISTS (SELECT {_MESSAGES})",
    "incoming": f"EXISTS (SELECT {_MESSAGES} AND p.direction = 'incoming')",
    "outgoing": f"EXISTS (SELECT {_MESSAGES} AND p.direction = 'outgoing')",
}
_ANSWERED: LiteralString = f"""c.kind IN {addresses.ANSWERED_KINDS} AND (
    SELECT min(p.timestamp) {_MESSAGES} AND p.direction = 'incoming'
        AND NOT (c.kind = 'group' AND p.message_type = 'system')
) < (
    SELECT max(p.timestamp) {_MESSAGES_SINCE} AND p.direction = 'outgoing' AND p.status IS DISTINCT FROM 'failed'
)"""
"""True if the chat was answered, by the rules of statistics.response_times."""
