"""What an export goes through: the chats of a session, and all the messages of a chat, a page at a time.

All pages are of one moment: a file in which a message is missing that was only moved, or the one half of an edit is
told, would pass for the truth. Its transaction holds back nothing but the removal of dead rows; a client that stops
reading is hung up on, and knows by the missing manifest that its file is not whole.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeVar, cast

from psycopg import IsolationLevel

from store.postgres import connections, errors
from store.postgres.connections import Connection
from store.postgres.pool import READ_SETTINGS
from store.reading import message_pages
from store.reading.chat_scope import ChatScope
from store.reading.message_pages import MessagePosition, MessageQuery

Result = TypeVar("Result")

_PAGE_SIZE = 500
_BEFORE_FIRST = MessagePosition(-1, -1, "", -1)
_SESSION_SETTINGS = {
    **READ_SETTINGS,
    # As long as a client may take over one page and what was on its way to it.
    "idle_in_transaction_session_timeout": "120s",
}
_QUERY_TIMEOUT = 20.0
"""Seconds after which a server that says nothing is given up."""


class ExportSnapshot:
    """The history as it is when this is made, until it is closed; raises StoreError.

    Of the primary: a replica ends whatever reads for long enough to be in the way of what it has to replay.
    """

    def __init__(self, database_url: str) -> None:
        self._open = ExitStack()
        with self._open:
            self._connection = connections.open(database_url, "api export", overrides=_SESSION_SETTINGS)
            self._open.callback(self._connection.close)
            self._connection.isolation_level = IsolationLevel.REPEATABLE_READ
            self._connection.read_only = True
            with errors.translated():
                self._open.enter_context(self._connection.transaction(force_rollback=True))
            self._open = self._open.pop_all()

    def close(self) -> None:
        self._open.close()

    def chat_messages(self, scope: ChatScope) -> Iterator[tuple[str, ...]]:
        """Pages of JSON texts, oldest first."""
        wanted = MessageQuery(scope, _PAGE_SIZE)
        position: MessagePosition | None = _BEFORE_FIRST
        while position is not None:
            after = position
            page = self._run(lambda connection: message_pages.newer(connection, wanted, after))  # noqa: B023 - asked here
            if page.messages:
                yield page.messages
            position = page.newer

    def session_messages(self, session_id: str) -> Iterator[tuple[str, ...]]:
        """Pages of all the messages of a session: of its chats in the order in which they began."""
        after = 0
        while True:
            found = self._run(lambda connection: _chat_page(connection, session_id, after))  # noqa: B023 - asked here
            for chat_id, address in found:
                yield from self.chat_messages(ChatScope(address, (session_id,)))
                after = chat_id
            if len(found) < _PAGE_SIZE:
                return

    def _run(self, query: Callable[[Connection], Result]) -> Result:
        with errors.translated(), connections.deadline(self._connection, _QUERY_TIMEOUT):
            return query(self._connection)


def _chat_page(connection: Connection, session_id: str, after: int) -> list[tuple[int, str]]:
    found = connection.execute(
        """
        SELECT c.chat_id, c.address
        FROM chats AS c
        WHERE c.session_id = %(session_id)s AND c.chat_id > %(after)s
            AND c.merged_into IS NULL AND c.last_timestamp IS NOT NULL
        ORDER BY c.chat_id
        LIMIT %(limit)s
        """,
        {"session_id": session_id, "after": after, "limit": _PAGE_SIZE},
    )
    return [(cast("int", chat_id), cast("str", address)) for chat_id, address in found]
