"""What an export goes through: the chats of a session, and all the messages of a chat, a page at a time.

Pages instead of one long query: a client that reads slowly holds neither a connection nor a snapshot.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol, TypeVar, cast

from store import conversations
from store.connect import Connection
from store.conversations import Position, Wanted
from store.places import Place

T = TypeVar("T")


class Asking(Protocol):
    """Gives a question a connection."""

    def __call__(self, question: Callable[[Connection], T], /) -> T: ...


_PAGE = 500
_BEGINNING = Position(-1, -1, "", -1)


def messages(ask: Asking, place: Place) -> Iterator[tuple[str, ...]]:
    """Pages of JSON texts, oldest first."""
    wanted = Wanted(place, _PAGE)
    position: Position | None = _BEGINNING
    while position is not None:
        page = ask(partial(conversations.newer, wanted=wanted, after=position))
        if page.messages:
            yield page.messages
        position = page.after


def chats(ask: Asking, session_id: str) -> Iterator[Place]:
    """The chats of a session, in the order in which they began."""
    after = 0
    while True:
        found = ask(partial(_chats, session_id=session_id, after=after))
        for chat_id, address in found:
            yield Place(address, (session_id,))
            after = chat_id
        if len(found) < _PAGE:
            return


def _chats(connection: Connection, session_id: str, after: int) -> list[tuple[int, str]]:
    found = connection.execute(
        """
        SELECT c.chat_id, c.address
        FROM chats AS c
        WHERE c.session_id = %(session_id)s AND c.chat_id > %(after)s
            AND c.merged_into IS NULL AND c.last_timestamp IS NOT NULL
        ORDER BY c.chat_id
        LIMIT %(limit)s
        """,
        {"session_id": session_id, "after": after, "limit": _PAGE},
    )
    return [(cast("int", chat_id), cast("str", address)) for chat_id, address in found]
