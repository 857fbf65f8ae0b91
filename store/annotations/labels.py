"""Stores labels: short texts by which users sort chats."""

from collections.abc import Collection
from typing import cast

from store.annotations import annotated_chat
from store.annotations.annotated_chat import TooManyError
from store.postgres.connections import Connection
from store.reading.chats import chat_profile
from store.reading.fragments.chat_scope import ChatScope

MAX_LENGTH = 40
"""In characters."""
MAX_PER_CHAT = 20
MAX_OF_SESSION = 500
"""The maximum number of different labels of a session, because a list of labels is not divided into pages."""


def change(
    connection: Connection, scope: ChatScope, author: str, add: Collection[str], remove: Collection[str]
) -> list[str]:
    """Add and remove labels of a chat. Return the labels that it has afterwards.

    Raises NoChatError, SeveralChatsError, TooManyError and TransientError.
    """

    def apply(chat_id: int) -> list[str]:
        limit = max(MAX_OF_SESSION, _count_of_session(connection, chat_id)) if add else MAX_OF_SESSION
        removed = connection.execute(
            """
            DELETE FROM chat_labels AS l
            WHERE l.chat_id IN (SELECT member.chat_id FROM chat_ids_of(%(chat)s) AS member)
                AND l.label = ANY(%(labels)s)
            """,
            {"chat": chat_id, "labels": list(remove)},
        ).rowcount
        added = connection.execute(
            """
            INSERT INTO chat_labels (chat_id, label, author)
            SELECT %(chat)s, new.label, %(author)s
            FROM unnest(%(labels)s::text[]) AS new (label)
            WHERE NOT EXISTS (
                SELECT
                FROM chat_ids_of(%(chat)s) AS member
                JOIN chat_labels AS l ON l.chat_id = member.chat_id
                WHERE l.label = new.label
            )
            ORDER BY new.label
            ON CONFLICT DO NOTHING
            """,
            {"chat": chat_id, "author": author, "labels": list(add)},
        ).rowcount
        labels = chat_profile.labels(connection, chat_id)
        if added and (len(labels) > MAX_PER_CHAT or _count_of_session(connection, chat_id) > limit):
            raise TooManyError
        if removed or added:
            annotated_chat.publish(connection, "label", chat_id)
        return labels

    return annotated_chat.run(connection, scope, apply)


def _count_of_session(connection: Connection, chat_id: int) -> int:
    """Return the number of different labels of the chats in this chat's session."""
    row = connection.execute(
        """
        SELECT count(DISTINCT l.label)
        FROM chats AS c
        JOIN chats AS other ON other.session_id = c.session_id
        JOIN chat_labels AS l ON l.chat_id = other.chat_id
        WHERE c.chat_id = %s
        """,
        [chat_id],
    ).fetchone()
    assert row is not None, "an aggregate has a row"
    return cast("int", row[0])
