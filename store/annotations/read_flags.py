"""Marks chats as read or unread."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import cast

from store.annotations import chat_lock
from store.feed import changes
from store.feed.changes import Change
from store.postgres.connections import Connection
from store.reading.fragments.chat_scope import MEMBERS_CTE, ChatScope
from store.reading.fragments.unread_sql import UNREAD_COUNT
from store.reading.messages.message_pages import MessagePosition, ReadSnapshot


class EpochChangedError(Exception):
    """The page was read in an earlier epoch of the database."""


@dataclass(frozen=True, slots=True)
class UnreadState:
    """The state after the change, summed over the sessions."""

    unread_count: int
    marked_unread: bool
    """True if a user marked the chat as unread."""


def mark_read(
    connection: Connection, scope: ChatScope, up_to: MessagePosition | None, as_of: ReadSnapshot | None
) -> UnreadState:
    """Mark messages up to a position as read if they are visible in the snapshot `as_of`.

    `up_to` None means all messages; `as_of` None means the time of the call. Raises EpochChangedError, TransientError,
    and PermanentError if `as_of` is not a snapshot.
    """
    clear_unread = partial(_clear_unread, connection, scope, up_to, as_of)
    return _update(connection, scope, clear_unread, marked_unread=False)


def mark_unread(connection: Connection, scope: ChatScope) -> UnreadState:
    """Mark the chat as unread without changing its messages. Raises TransientError."""
    return _update(connection, scope, lambda: None, marked_unread=True)


def _update(connection: Connection, scope: ChatScope, act: Callable[[], None], *, marked_unread: bool) -> UnreadState:
    def update(canonical_ids: list[int]) -> UnreadState:
        act()
        return _refresh_chats(connection, canonical_ids, marked_unread=marked_unread)

    return chat_lock.run_locked(connection, scope, update)


def _clear_unread(
    connection: Connection, scope: ChatScope, up_to: MessagePosition | None, as_of: ReadSnapshot | None
) -> None:
    """Clear the flags of the shown messages and of their hidden copies."""
    if as_of and connection.execute("SELECT epoch::text FROM feed_epoch").fetchone() != (as_of.epoch,):
        raise EpochChangedError
    connection.execute(
        f"""
        WITH {MEMBERS_CTE},
        shown AS (
            SELECT m.key_id, m.direction
            FROM members
            JOIN whatsapp_messages AS m ON m.chat_id = members.chat_id
            WHERE m.unread AND NOT m.is_duplicate
                AND (%(everything)s OR (m.timestamp, m.receive_order, m.message_id, m.id)
                    <= (%(timestamp)s, %(receive_order)s, %(message_id)s, %(id)s))
                AND (%(now)s OR pg_visible_in_snapshot(m.created_xid, %(snapshot)s::pg_snapshot))
        )
        UPDATE whatsapp_messages AS m
        SET unread = false
        FROM shown, members
        WHERE m.key_id = shown.key_id AND m.direction = shown.direction AND m.chat_id = members.chat_id AND m.unread
        """,
        {
            **scope.parameters(),
            **asdict(up_to or MessagePosition(0, 0, "", 0)),
            "everything": up_to is None,
            "now": as_of is None,
            "snapshot": as_of.pg_snapshot if as_of else "1:1:",
        },
    )


def _refresh_chats(connection: Connection, canonical_ids: list[int], *, marked_unread: bool) -> UnreadState:
    """Recount the locked canonical chats, publish those that changed, and return their state."""
    changed = connection.execute(
        """
        UPDATE chats AS c
        SET unread = n.unread, marked_unread = %(marked)s, rev = c.rev + 1
        FROM (
            SELECT x.canonical_chat_id, (
                SELECT count(*)
                FROM chat_ids_of(x.canonical_chat_id) AS member
                JOIN whatsapp_messages AS m ON m.chat_id = member.chat_id
                WHERE m.unread AND NOT m.is_duplicate
            ) AS unread
            FROM unnest(%(chats)s::bigint[]) AS x (canonical_chat_id)
        ) AS n
        WHERE c.chat_id = n.canonical_chat_id AND c.last_timestamp IS NOT NULL
            AND (c.unread, c.marked_unread) IS DISTINCT FROM (n.unread, %(marked)s)
        RETURNING c.chat_id, c.session_id
        """,
        {"chats": canonical_ids, "marked": marked_unread},
    ).fetchall()
    published = cast("list[tuple[int, str]]", changed)
    changes.publish(connection, [Change("read", session_id, chat_id) for chat_id, session_id in published])
    row = connection.execute(
        f"""
        SELECT coalesce(sum({UNREAD_COUNT}), 0)::bigint, coalesce(bool_or(c.marked_unread), false)
        FROM chats AS c
        WHERE c.chat_id = ANY(%(chats)s)
        """,
        {"chats": canonical_ids},
    ).fetchone()
    unread, is_marked = row or (0, False)
    return UnreadState(cast("int", unread), cast("bool", is_marked))
