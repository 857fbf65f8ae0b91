"""Reads all messages of a chat or of a session in pages, from one snapshot.

With a snapshot per page, the file could lack a message that moved in between, or contain half of an edit. The
transaction holds back only vacuum. If the client stops reading, it is disconnected; the missing manifest shows that the
file is incomplete.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, TypeVar, cast

from psycopg import IsolationLevel

from store.postgres import connections, errors
from store.postgres.connections import Connection
from store.postgres.pool import READ_SETTINGS
from store.reading import session_names
from store.reading.chats.chat_profile import NOTES
from store.reading.fragments.annotation_sql import LABELS
from store.reading.fragments.chat_scope import MEMBERS_CTE, ChatScope
from store.reading.messages import message_pages
from store.reading.messages.message_pages import MessagePosition, MessageQuery
from store.reading.session_names import SessionName

Result = TypeVar("Result")

_PAGE_SIZE = 500
_CHATS_AT_ONCE = 8
"""The number of chats whose notes are in memory. A chat may have 3 MiB of them."""
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
class ExportNote:
    text: str
    author: str
    at: int
    """The time of the last change in ms."""


@dataclass(frozen=True, slots=True)
class ExportChat:
    """A chat with its labels and notes. If several sessions have the address, their chats are combined."""

    address: str
    name: str | None = None
    labels: tuple[str, ...] = ()
    notes: tuple[ExportNote, ...] = ()
    """Newest first."""
    session_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportPage:
    """Messages of one chat."""

    messages: tuple[str, ...]
    """JSON objects, oldest first; not empty."""
    chat: ExportChat
    is_first: bool
    """True if this is the first page of its chat."""


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

    def session_names(self) -> Mapping[str, SessionName]:
        """Return the names of all sessions, by their ids."""
        return self._run(session_names.read)

    def chat(self, scope: ChatScope) -> ExportChat:
        """Return the chat with an address, which may have no messages."""
        return self._run(lambda connection: _chat(connection, scope))

    def chat_messages(self, scope: ChatScope, chat: ExportChat, period: ExportPeriod) -> Iterator[ExportPage]:
        """Yield the pages of a chat, oldest message first."""
        is_first = True
        query = MessageQuery(scope, _PAGE_SIZE, since=period.since, until=period.until)
        position: MessagePosition | None = _BEFORE_FIRST
        while position is not None:
            after = position
            page = self._run(lambda connection: message_pages.newer(connection, query, after))  # noqa: B023 - called here
            if page.messages:
                yield ExportPage(page.messages, chat, is_first)
                is_first = False
            position = page.newer

    def session_messages(self, session_id: str, period: ExportPeriod) -> Iterator[ExportPage]:
        """Yield the pages of all messages of a session and its account, chat by chat, oldest chat first."""
        after = 0
        while True:
            page = self._run(lambda connection: _chat_page(connection, session_id, after))  # noqa: B023 - called here
            for chat_id, primary_id, chat in page:
                yield from self.chat_messages(ChatScope(chat.address, (primary_id,)), chat, period)
                after = chat_id
            if len(page) < _CHATS_AT_ONCE:
                return

    def _run(self, query: Callable[[Connection], Result]) -> Result:
        with errors.translated(), connections.deadline(self._connection, _QUERY_TIMEOUT):
            return query(self._connection)


def _chat(connection: Connection, scope: ChatScope) -> ExportChat:
    rows = connection.execute(
        f"""
        WITH {MEMBERS_CTE}
        SELECT c.session_id, {_CHAT_COLUMNS}
        FROM canonical_chats
        JOIN chats AS c USING (chat_id)
        ORDER BY c.last_timestamp DESC NULLS LAST, c.chat_id
        """,
        scope.parameters(),
    ).fetchall()
    chats = [_export_chat(scope.address, *row) for row in cast("list[tuple[Any, ...]]", rows)]
    return ExportChat(
        scope.address,
        next((chat.name for chat in chats if chat.name is not None), None),
        tuple(dict.fromkeys(label for chat in chats for label in chat.labels)),
        tuple(note for chat in chats for note in chat.notes),
        tuple(session for chat in chats for session in chat.session_ids),
    )


def _chat_page(connection: Connection, session_id: str, after: int) -> list[tuple[int, str, ExportChat]]:
    """Return the ids, the primary sessions and the chats of a page."""
    cursor = connection.execute(
        f"""
        SELECT c.chat_id, c.address, c.session_id, {_CHAT_COLUMNS}
        FROM chats AS c
        WHERE c.session_id = primary_session(%(session_id)s) AND c.chat_id > %(after)s
            AND c.merged_into IS NULL AND c.last_timestamp IS NOT NULL
        ORDER BY c.chat_id
        LIMIT %(limit)s
        """,
        {"session_id": session_id, "after": after, "limit": _CHATS_AT_ONCE},
    )
    return [
        (chat_id, session, _export_chat(address, session, name, labels, notes))
        for chat_id, address, session, name, labels, notes in cast("list[tuple[Any, ...]]", cursor.fetchall())
    ]


_CHAT_COLUMNS: LiteralString = f"c.name, {LABELS}, {NOTES}"


def _export_chat(
    address: str, session_id: str, name: str | None, labels: Sequence[str], notes: Sequence[Mapping[str, str]]
) -> ExportChat:
    return ExportChat(address, name, tuple(labels), tuple(map(_export_note, notes)), (session_id,))


def _export_note(note: Mapping[str, str]) -> ExportNote:
    at = datetime.fromisoformat(note.get("changed_at") or note["created_at"])
    return ExportNote(note["text"], note["author"], int(at.timestamp() * 1000))
