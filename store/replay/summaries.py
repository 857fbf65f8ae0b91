"""Recomputes the summaries of canonical chats: name, last message, unread count and waiting time."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import cast

from store.history.chats import chat_summaries, chats
from store.postgres.connections import Connection
from store.replay.report import Difference

_COMPARED_COLUMNS = ("name", "last_timestamp", "unread", "waiting_since")


def refresh_page(connection: Connection, after: int, limit: int) -> tuple[Sequence[int], list[Difference]]:
    """Recompute the next page in the caller's transaction. Return the chat ids and the differences."""
    found = connection.execute(
        """
        SELECT c.chat_id, c.session_id, c.address
        FROM chats AS c
        WHERE c.chat_id > %(after)s AND c.merged_into IS NULL
        ORDER BY c.chat_id
        LIMIT %(limit)s
        """,
        {"after": after, "limit": limit},
    ).fetchall()
    chat_addresses = {
        chat_id: (session_id, address) for chat_id, session_id, address in cast("Iterable[tuple[int, str, str]]", found)
    }
    if not chat_addresses:
        return [], []
    chats.lock(connection, chat_addresses.values())
    old_summaries = _read_summaries(connection, chat_addresses)
    chat_summaries.recount(connection, chat_addresses)
    new_summaries = _read_summaries(connection, chat_addresses)
    return list(chat_addresses), [
        Difference(f"chat {column}", " ".join(chat_addresses[chat_id]), was, now)
        for chat_id in chat_addresses
        for column, was, now in zip(_COMPARED_COLUMNS, old_summaries[chat_id], new_summaries[chat_id], strict=True)
        if was != now
    ]


def _read_summaries(connection: Connection, chat_ids: Collection[int]) -> Mapping[int, tuple[object, ...]]:
    found = connection.execute(
        """
        SELECT c.chat_id, c.name, c.last_timestamp, c.unread, c.waiting_since FROM chats AS c
        WHERE c.chat_id = ANY(%s)
        """,
        [list(chat_ids)],
    )
    return {cast("int", chat_id): tuple(shown) for chat_id, *shown in found}
