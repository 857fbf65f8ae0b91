"""Defines the query and the pages of a search."""

from dataclasses import dataclass

from store.model.facts import ChatKind
from store.reading.messages.found_page import FoundMessage


@dataclass(frozen=True, slots=True)
class SearchPosition:
    timestamp: int
    id: int
    fuzzy: bool
    """True if the previous pages contained matches of similar words."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    words: tuple[str, ...]
    """The result of `search_document.split_query`; not empty."""
    limit: int
    sessions: tuple[str, ...] | None = None
    address: str | None = None
    direction: str | None = None
    type: str | None = None
    since: int | None = None
    until: int | None = None
    chat_kind: ChatKind | None = None
    unread: bool = False
    """Only messages of chats with something unread."""
    waiting: bool = False
    """Only messages of chats in which somebody waits for an answer."""
    label: str | None = None
    """Only messages of chats with this label."""
    starred: bool = False
    count: bool = False
    """True to count the matches."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    hits: tuple[FoundMessage, ...]
    next_position: SearchPosition | None
    fuzzy: bool
    index_complete: bool
    """False if some stored messages are not indexed yet, or were indexed with an older normalisation."""
    count: int | None = None
    """The number of all matches, at most `search.MAX_COUNT`, or None if they were not counted."""
