"""Finds and locks the one chat that a label or a note belongs to."""

from collections.abc import Callable
from typing import TypeVar

from store.annotations import chat_lock
from store.feed import changes
from store.feed.changes import Change, ChangeKind
from store.history.chats import chats
from store.postgres.connections import Connection
from store.reading.fragments.chat_scope import ChatScope

T = TypeVar("T")


class NoChatError(Exception):
    """No chat has this address."""


class SeveralChatsError(Exception):
    """Several sessions have a chat with this address."""


class TooManyError(Exception):
    """The chat, or its session, already has the greatest number of annotations."""


def run(connection: Connection, scope: ChatScope, act: Callable[[int], T]) -> T:
    """Run `act` with the id of the canonical chat, in a transaction that has locked the chat.

    Raises NoChatError, SeveralChatsError and TransientError.
    """

    def act_on_one(canonical_ids: list[int]) -> T:
        if not canonical_ids:
            raise NoChatError
        if len(canonical_ids) > 1:
            raise SeveralChatsError
        return act(canonical_ids[0])

    return chat_lock.run_locked(connection, scope, act_on_one)


def publish(connection: Connection, kind: ChangeKind, chat_id: int) -> None:
    """Publish that the annotations of a locked canonical chat changed."""
    connection.execute("UPDATE chats AS c SET rev = c.rev + 1 WHERE c.chat_id = %s", [chat_id])
    changes.publish(connection, [Change(kind, *chats.find_canonical(connection, chat_id))])
