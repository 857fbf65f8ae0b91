"""Reads all messages of a chat or of a session in pages, from one snapshot.

With a snapshot per page, a file could lack a message that moved meanwhile, or contain half of an edit. The transaction
holds back nothing but vacuum. A client that stops reading is disconnected; the missing manifest shows that its file is
incomplete.
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
    # The longest time that a client may take for a page and the buffered data before it.
    "idle_in_transaction_session_timeout": "120s",
}
_QUERY_TIMEOUT = 20.0
"""Seconds that PostgreSQL has for one page."""


class ExportSnapshot:
    """The history at the time of construction, until `close`; raises StoreError.

    Use a URL of the primary: a replica cancels long reads that conflict with replication.
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
        query = MessageQuery(scope, _PAGE_SIZE)
        position: MessagePosition | None = _BEFORE_FIRST
        while position is not None:
            after = position
            page = self._run(lambda connection: message_pages.newer(connection, query, after))  # noqa: B023 - called here
            if page.messages:
                yield page.messages
            position = page.newer

    def session_messages(self, session_id: str) -> Iterator[tuple[str, ...]]:
        """Pages of all messages of a session and of its account, chat by chat, oldest chat first."""
        after = 0
        while True:
            page = self._run(lambda connection: _chat_page(connection, session_id, after))  # noqa: B023 - called here
            for chat_id, address, primary_id in page:
                yield from self.chat_messages(ChatScope(address, (primary_id,)))
                after = chat_id
            if len(page) < _PAGE_SIZE:
                return

    def _run(self, query: Callable[[Connection], Result]) -> Result:
        with errors.translated(), connections.deadline(self._connection, _QUERY_TIMEOUT):
            return query(self._connection)


def _chat_page(connection: Connection, session_id: str, after: int) -> list[tuple[int, str, str]]:
    cursor = connection.execute(
        """
        SELECT c.chat_id, c.address, c.session_id
        FROM chats AS c
        WHERE c.session_id = primary_session(%(session_id)s) AND c.chat_id > %(after)s
            AND c.merged_into IS NULL AND c.last_timestamp IS NOT NULL
        ORDER BY c.chat_id
        LIMIT %(limit)s
        """,
        {"session_id": session_id, "after": after, "limit": _PAGE_SIZE},
    )
    return cast("list[tuple[int, str, str]]", cursor.fetchall())
