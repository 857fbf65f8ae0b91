"""The pages of messages that every kind of gateway is read in."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from worker.senders.whatsapp.json_document import JsonObject

WHOLE_SESSION: Final = ""
"""The chat where a gateway lists the messages of all chats together."""


class Period(NamedTuple):
    """The times of the messages that are wanted, in ms."""

    since: int | None
    until: int


class Page(NamedTuple):
    records: Sequence[JsonObject]
    next_position: str | None
    """None after the last page."""


class Gateway(Protocol):
    """One gateway. Its methods raise BackfillError."""

    def sessions(self) -> list[str]:
        """The names of the sessions, as the gateway's events have them."""
        ...

    def chats(self, session: str) -> list[str]:
        """The chats of a session, or WHOLE_SESSION alone."""
        ...

    def page(self, session: str, chat: str, position: str | None, period: Period) -> Page:
        """The page at a position; None is the first one."""
        ...

    def event(self, session: str, record: JsonObject) -> JsonObject:
        """The record as an event."""
        ...
