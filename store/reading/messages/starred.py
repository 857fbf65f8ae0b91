"""Reads pages of starred messages, newest first."""

from dataclasses import asdict, dataclass
from typing import LiteralString, cast

from store.postgres.connections import Connection
from store.reading.fragments.annotation_sql import HAS_LABEL
from store.reading.fragments.json_views import MAX_BIGINT, MAX_PAGE_BYTES
from store.reading.fragments.message_json import MESSAGE_BYTES
from store.reading.messages import found_page
from store.reading.messages.found_page import FoundMessage, FoundRow


@dataclass(frozen=True, slots=True)
class StarredPosition:
    timestamp: int
    id: int


@dataclass(frozen=True, slots=True)
class StarredPage:
    messages: tuple[FoundMessage, ...]
    next_position: StarredPosition | None
    """The position of the next page, or None if there is none."""


_AFTER_LAST = StarredPosition(MAX_BIGINT, MAX_BIGINT)
_FOUND: LiteralString = f"""
    SELECT m.timestamp, m.id, {MESSAGE_BYTES} AS bytes, c.chat_id AS canonical_chat_id
    FROM whatsapp_messages AS m
    JOIN chats AS member ON member.chat_id = m.chat_id
    JOIN chats AS c ON c.chat_id = member.canonical_chat_id
    WHERE m.starred AND NOT m.is_duplicate AND (m.timestamp, m.id) < (%(timestamp)s, %(id)s)
        AND (%(sessions)s::text[] IS NULL OR m.session_id = ANY(%(sessions)s))
        AND (%(label)s::text IS NULL OR {HAS_LABEL})
    ORDER BY m.timestamp DESC, m.id DESC
    LIMIT %(limit)s
"""
_QUERY = found_page.build(_FOUND)


def page(
    connection: Connection,
    sessions: tuple[str, ...] | None,
    label: str | None,
    after: StarredPosition | None,
    limit: int,
) -> StarredPage:
    """Return a page of starred messages after a position.

    Only messages of these sessions (None for all) in chats with this label (None for all).
    """
    parameters = {
        **asdict(after or _AFTER_LAST),
        "sessions": None if sessions is None else list(sessions),
        "label": label,
        "limit": limit + 1,
        "max_bytes": MAX_PAGE_BYTES,
        "versions": False,
    }
    rows = cast("list[tuple[int, int, int, int]]", connection.execute(_QUERY, parameters).fetchall())
    shown = [FoundRow(*row) for row in rows[:limit]]
    next_position = None
    if shown and shown[-1].candidates > len(shown):
        next_position = StarredPosition(shown[-1].timestamp, shown[-1].id)
    return StarredPage(found_page.read(connection, shown), next_position)
