"""What has been read: the only thing about conversations that a reader may change."""

from dataclasses import dataclass
from typing import cast

from store.feed import changes
from store.feed.changes import Change
from store.postgres import errors
from store.postgres.connections import Connection
from store.reading.chat_scope import MEMBERS_CTE, ChatScope
from store.reading.message_pages import MessagePosition, ReadSnapshot

_MAX_ATTEMPTS = 5


class EpochChangedError(Exception):
    """The database was restored from a backup since the page was drawn."""


class ChatMovedError(Exception):
    """The chat's addresses were not those that were locked: nothing was done."""


@dataclass(frozen=True, slots=True)
class UnreadState:
    """What is left."""

    unread_count: int
    marked_unread: bool
    """Somebody asked to see it as unread."""


def mark_read(
    connection: Connection, scope: ChatScope, up_to: MessagePosition | None, as_of: ReadSnapshot | None
) -> UnreadState:
    """Mark as read the messages up to a position that the page of `as_of` could have shown.

    None as `up_to` means all of them, None as `as_of` the moment of the call. Raises OtherEpochError, and
    PermanentError if `as_of` is no snapshot.
    """
    with errors.translated():
        for _ in range(_MAX_ATTEMPTS):
            try:
                with connection.transaction():
                    heads = _lock_chats(connection, scope)
                    _check_epoch(connection, as_of)
                    _clear_unread(connection, scope, up_to, as_of)
                    return _refresh_chats(connection, heads, marked_unread=False)
            except ChatMovedError:
                continue
    raise errors.TransientError("The chat's addresses keep moving")


def mark_unread(connection: Connection, scope: ChatScope) -> UnreadState:
    """Show the chat as unread again; no message changes."""
    with errors.translated():
        for _ in range(_MAX_ATTEMPTS):
            try:
                with connection.transaction():
                    return _refresh_chats(connection, _lock_chats(connection, scope), marked_unread=True)
            except ChatMovedError:
                continue
    raise errors.TransientError("The chat's addresses keep moving")


def _member_chats(connection: Connection, scope: ChatScope) -> dict[int, tuple[int, bool]]:
    found = connection.execute(
        f"""
        WITH {MEMBERS_CTE}
        SELECT c.chat_id, members.canonical_chat_id, c.kind = 'lid'
        FROM members
        JOIN chats AS c ON c.chat_id = members.chat_id
        """,  # noqa: S608 - assembled from literals only, which the type proves
        scope.parameters(),
    )
    return {cast("int", chat_id): (cast("int", head), cast("bool", is_lid)) for chat_id, head, is_lid in found}


def _lock_chats(connection: Connection, scope: ChatScope) -> list[int]:
    """Lock the rows of the chat in the order that every writer keeps: LIDs first. Returns its heads."""
    members = _member_chats(connection, scope)
    for lids in (True, False):
        connection.execute(
            """
            SELECT c.chat_id
            FROM chats AS c
            WHERE c.chat_id = ANY(%(chats)s)
            ORDER BY c.session_id, c.address
            FOR UPDATE
            """,
            {"chats": [chat_id for chat_id, (_, is_lid) in members.items() if is_lid is lids]},
        )
    # A LID may have found its phone, or lost it, while we waited for its row.
    if _member_chats(connection, scope) != members:
        raise ChatMovedError
    return sorted({head for head, _ in members.values()})


def _check_epoch(connection: Connection, as_of: ReadSnapshot | None) -> None:
    if as_of is not None:
        row = connection.execute("SELECT epoch::text FROM feed_epoch").fetchone()
        if row != (as_of.epoch,):
            raise EpochChangedError


def _clear_unread(
    connection: Connection, scope: ChatScope, up_to: MessagePosition | None, as_of: ReadSnapshot | None
) -> None:
    """Clear the flags of the messages that were shown, and of the copies that they stand for."""
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
        """,  # noqa: S608 - assembled from literals only, which the type proves
        {
            **scope.parameters(),
            "everything": up_to is None,
            "timestamp": up_to.timestamp if up_to else 0,
            "receive_order": up_to.receive_order if up_to else 0,
            "message_id": up_to.message_id if up_to else "",
            "id": up_to.id if up_to else 0,
            "now": as_of is None,
            "snapshot": as_of.pg_snapshot if as_of else "1:1:",
        },
    )


def _refresh_chats(connection: Connection, canonical_ids: list[int], *, marked_unread: bool) -> UnreadState:
    """Bring the locked heads up to date, tell the feed which of them changed, and say what is left."""
    changed = connection.execute(
        """
        UPDATE chats AS h
        SET unread = n.unread, marked_unread = %(marked)s, rev = h.rev + 1
        FROM (
            SELECT x.canonical_chat_id, (
                SELECT count(*)
                FROM chats AS c
                JOIN whatsapp_messages AS m ON m.chat_id = c.chat_id
                WHERE (c.chat_id = x.canonical_chat_id OR c.merged_into = x.canonical_chat_id) AND m.unread
                    AND NOT m.is_duplicate
            ) AS unread
            FROM unnest(%(heads)s::bigint[]) AS x (canonical_chat_id)
        ) AS n
        WHERE h.chat_id = n.canonical_chat_id AND h.last_timestamp IS NOT NULL
            AND (h.unread, h.marked_unread) IS DISTINCT FROM (n.unread, %(marked)s)
        RETURNING h.chat_id, h.session_id
        """,
        {"heads": canonical_ids, "marked": marked_unread},
    ).fetchall()
    changes.publish(
        connection, [Change("read", cast("str", session_id), cast("int", head)) for head, session_id in changed]
    )
    row = connection.execute(
        """
        SELECT coalesce(sum(c.unread), 0)::bigint, coalesce(bool_or(c.marked_unread), false)
        FROM chats AS c
        WHERE c.chat_id = ANY(%(heads)s)
        """,
        {"heads": canonical_ids},
    ).fetchone()
    count, left_marked = row or (0, False)
    return UnreadState(cast("int", count), cast("bool", left_marked))
