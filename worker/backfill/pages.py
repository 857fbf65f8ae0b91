"""Defines the pages of messages in which every kind of gateway is read."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from worker.senders.whatsapp.json_document import JsonObject

WHOLE_SESSION: Final = ""
"""The name of the chat if a gateway lists the messages of all chats together."""


class Period(NamedTuple):
    """The period of the messages to read, in ms."""

    since: int | None
    until: int


class Page(NamedTuple):
    records: Sequence[JsonObject]
    next_position: str | None
    """None after the last page."""


class Gateway(Protocol):
    """A gateway. Its methods raise BackfillError."""

    def sessions(self) -> list[str]:
        """Return the names of the sessions as in the gateway's events."""
        ...

    def chats(self, session: str) -> list[str]:
        """Return the chats of a session, or only WHOLE_SESSION."""
        ...

    def page(self, session: str, chat: str, position: str | None, period: Period) -> Page:
        """Return the page at a position, or the first page for None."""
        ...

    def event(self, session: str, record: JsonObject) -> JsonObject: ...
