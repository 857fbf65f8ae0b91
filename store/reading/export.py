"""Reads all messages of a chat or of a session in pages, from one snapshot.

With a snapshot per page, the file could lack a message that moved in between, or contain half of an edit. The
transaction holds back only vacuum. If the client stops reading, it is disconnected; the missing manifest shows that the
file is incomplete.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar, cast

from psycopg import IsolationLevel

from store.postgres import connections, errors
from store.postgres.connections import Connection
from store.postgres.pool import READ_SETTINGS
from store.reading import message_pages
from store.reading.chat_scope import MEMBERS_CTE, ChatScope
from store.reading.message_pages import MessagePosition, MessageQuery

Result = TypeVar("Result")

_PAGE_SIZE = 500
_BEFORE_FIRST = MessagePosition(-1, -1, "", -1)
_SESSION_SETTINGS = {
    **READ_SETTINGS,
    # The longest time that a client may take for one page and the data buffered before it.
    "idle_in_transaction_session_timeout": "120s",
}
_QUERY_TIMEOUT = 20.0
"""The statement timeout of one page, in seconds."""


@dataclass(frozen=True, slots=True)
class ExportPeriod:
    """The period of an export in ms; None for no bound."""

    since: int | None = None
    """Inclusive."""
    until: int | None = None
    """Exclusive."""


@dataclass(frozen=True, slots=True)
class ExportPage:
    """Messages of one chat."""

    messages: tuple[str, ...]
    """JSON objects, oldest first; not empty."""
    chat_name: str | None


WHOLE_HISTORY = ExportPeriod()


class ExportSnapshot:
    """A snapshot of the history, taken when the object is created and released by `close`. Raises StoreError.

    Use a URL of the primary, because a replica cancels long reads that conflict with replication.
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

    def chat_name(self, scope: ChatScope) -> str | None:
        """Return the name of a chat, or None if it has none or does not exist."""
        return self._run(lambda connection: _chat_name(connection, scope))

    def chat_messages(
        self, scope: ChatScope, name: str | None, period: ExportPeriod = WHOLE_HISTORY
    ) -> Iterator[ExportPage]:
        """Yield the pages of a chat, oldest message first. `name` is the chat's name in each page."""
        query = MessageQuery(scope, _PAGE_SIZE, since=period.since, until=period.until)
        position: MessagePosition | None = _BEFORE_FIRST
        while position is not None:
            after = position
            page = self._run(lambda connection: message_pages.newer(connection, query, after))  # noqa: B023 - called here
            if page.messages:
                yield ExportPage(page.messages, name)
            position = page.newer

    def session_messages(self, session_id: str, period: ExportPeriod = WHOLE_HISTORY) -> Iterator[ExportPage]:
        """Yield the pages of all messages of a session and its account, chat by chat, oldest chat first."""
        after = 0
        while True:
            page = self._run(lambda connection: _chat_page(connection, session_id, after))  # noqa: B023 - called here
            for chat_id, address, primary_id, name in page:
                yield from self.chat_messages(ChatScope(address, (primary_id,)), name, period)
                after = chat_id
            if len(page) < _PAGE_SIZE:
                return

    def _run(self, query: Callable[[Connection], Result]) -> Result:
        with errors.translated(), connections.deadline(self._connection, _QUERY_TIMEOUT):
            return query(self._connection)


def _chat_name(connection: Connection, scope: ChatScope) -> str | None:
    row = connection.execute(
        f"""
        WITH {MEMBERS_CTE}
        SELECT c.name
        FROM canonical_chats
        JOIN chats AS c USING (chat_id)
        WHERE c.name IS NOT NULL
        ORDER BY c.last_timestamp DESC NULLS LAST, c.chat_id
        LIMIT 1
        """,  # noqa: S608 - assembled from literals only, which the type proves
        scope.parameters(),
    ).fetchone()
    return None if row is None else cast("str", row[0])


def _chat_page(connection: Connection, session_id: str, after: int) -> list[tuple[int, str, str, str | None]]:
    cursor = connection.execute(
        """
        SELECT c.chat_id, c.address, c.session_id, c.name
        FROM chats AS c
        WHERE c.session_id = primary_session(%(session_id)s) AND c.chat_id > %(after)s
            AND c.merged_into IS NULL AND c.last_timestamp IS NOT NULL
        ORDER BY c.chat_id
        LIMIT %(limit)s
        """,
        {"session_id": session_id, "after": after, "limit": _PAGE_SIZE},
    )
    return cast("list[tuple[int, str, str, str | None]]", cursor.fetchall())
