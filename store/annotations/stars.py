"""Stores stars, by which users find messages again."""

from typing import cast

from store.annotations import chat_lock
from store.feed import changes
from store.feed.changes import Change
from store.history.chats import chats
from store.postgres.connections import Connection
from store.reading.fragments.chat_scope import MEMBERS_CTE, ChatScope
from store.reading.messages import message_pages


def set_star(connection: Connection, scope: ChatScope, message_id: str, *, starred: bool) -> bool:
    """Add a star to the newest message with this id, or remove it. Return whether there is such a message.

    Hidden copies of the message get the same star, because one of them may be shown later. Raises TransientError.
    """

    def update(_: list[int]) -> bool:
        position = message_pages.locate(connection, scope, message_id)
        # A send without a message has no row to star.
        if position is None or position.id == 0:
            return False
        changed = connection.execute(
            f"""
            WITH {MEMBERS_CTE}
            UPDATE whatsapp_messages AS m
            SET starred = %(starred)s, rev = m.rev + 1
            FROM whatsapp_messages AS shown
            JOIN members AS home ON home.chat_id = shown.chat_id
            JOIN members AS other ON other.canonical_chat_id = home.canonical_chat_id
            WHERE shown.id = %(id)s AND m.chat_id = other.chat_id AND m.key_id = shown.key_id
                AND m.direction = shown.direction AND m.starred <> %(starred)s
            RETURNING home.canonical_chat_id
            """,
            {**scope.parameters(), "id": position.id, "starred": starred},
        ).fetchone()
        if changed is not None:
            home = chats.find_canonical(connection, cast("int", changed[0]))
            changes.publish(connection, [Change("star", *home, position.id)])
        return True

    return chat_lock.run_locked(connection, scope, update)
