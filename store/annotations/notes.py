"""Stores notes, which users write about a chat for each other."""

from store.annotations import annotated_chat
from store.annotations.annotated_chat import TooManyError
from store.postgres.connections import Connection
from store.reading.chats import chat_profile
from store.reading.fragments.chat_scope import ChatScope

MAX_LENGTH = 4_000
"""In characters."""
MAX_PER_CHAT = 200


class NoNoteError(Exception):
    """The chat has no note with this id."""


def add(connection: Connection, scope: ChatScope, author: str, text: str) -> str:
    """Add a note to a chat. Return all notes of the chat as JSON.

    Raises NoChatError, SeveralChatsError, TooManyError and TransientError.
    """

    def insert(chat_id: int) -> str:
        found = connection.execute(
            """
            SELECT FROM chat_ids_of(%s) AS member JOIN chat_notes AS n ON n.chat_id = member.chat_id LIMIT %s
            """,
            [chat_id, MAX_PER_CHAT],
        ).fetchall()
        if len(found) == MAX_PER_CHAT:
            raise TooManyError
        connection.execute(
            "INSERT INTO chat_notes (chat_id, text, author) VALUES (%s, %s, %s)", [chat_id, text, author]
        )
        annotated_chat.publish(connection, "note", chat_id)
        return chat_profile.notes(connection, chat_id)

    return annotated_chat.run(connection, scope, insert)


def change(connection: Connection, scope: ChatScope, note_id: int, author: str, text: str | None) -> str:
    """Replace the text of a note, or delete the note if `text` is None. Return all notes of the chat as JSON.

    Raises NoNoteError, NoChatError, SeveralChatsError and TransientError.
    """

    def replace(chat_id: int) -> str:
        parameters = {"chat": chat_id, "note": note_id, "author": author, "text": text}
        if text is None:
            found = connection.execute(
                """
                DELETE FROM chat_notes AS n
                WHERE n.note_id = %(note)s AND n.chat_id IN (SELECT m.chat_id FROM chat_ids_of(%(chat)s) AS m)
                """,
                parameters,
            ).rowcount
        else:
            found = connection.execute(
                """
                UPDATE chat_notes AS n
                SET text = %(text)s, author = %(author)s, changed_at = now()
                WHERE n.note_id = %(note)s AND n.chat_id IN (SELECT m.chat_id FROM chat_ids_of(%(chat)s) AS m)
                """,
                parameters,
            ).rowcount
        if not found:
            raise NoNoteError
        annotated_chat.publish(connection, "note", chat_id)
        return chat_profile.notes(connection, chat_id)

    return annotated_chat.run(connection, scope, replace)
