"""The question and the pages of a search."""

from dataclasses import dataclass

from store.model.facts import ChatKind


@dataclass(frozen=True, slots=True)
class SearchPosition:
    timestamp: int
    id: int
    fuzzy: bool
    """Whether the pages before were matches of similar words."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    words: tuple[str, ...]
    """The result of `search_document.split_query`, not empty."""
    limit: int
    sessions: tuple[str, ...] | None = None
    address: str | None = None
    direction: str | None = None
    type: str | None = None
    since: int | None = None
    until: int | None = None
    chat_kind: ChatKind | None = None
    unread: bool = False
    """Only in chats in which something is still to read."""
    waiting: bool = False
    """Only in chats in which somebody waits for an answer."""
    label: str | None = None
    """Only in chats with this label."""
    starred: bool = False
    count: bool = False
    """Whether to count the matches."""


@dataclass(frozen=True, slots=True)
class SearchHit:
    message: str
    """JSON"""
    chat_name: str | None
    """The chat's name; None: it has none."""
    matched_text: str
    """The text, caption and file name that were searched."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    hits: tuple[SearchHit, ...]
    next_position: SearchPosition | None
    fuzzy: bool
    index_complete: bool
    """False while stored messages are not indexed yet, or not in the present spelling."""
    count: int | None = None
    """The number of all matches, `search.COUNTED` at most; None if they were not counted."""
