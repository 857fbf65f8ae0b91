"""Writes the change feed. A change consists of ids only; readers load the current state when they deliver it."""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeAlias
from uuid import UUID

from store.postgres import copying
from store.postgres.connections import Connection

CHANNEL = "sak_changes"
"""Each transaction with changes notifies this channel once, without a payload."""

ChangeKind: TypeAlias = Literal[
    "message", "status", "edit", "delete", "reaction", "read", "merge", "session", "send", "star", "label", "note"
]


class Change(NamedTuple):
    """One change, as a row. A tuple for speed, as there is one for every event."""

    kind: ChangeKind
    session_id: str | None
    chat_id: int | None = None
    """The canonical chat."""
    message_row_id: int | None = None
    """whatsapp_messages.id."""
    send_id: UUID | None = None
    """The id of a send that has no message yet."""


_COPY: Final = "COPY changes (kind, session_id, chat_id, message, send_id) FROM STDIN (FORMAT binary)"


def publish(connection: Connection, changes: Iterable[Change]) -> None:
    """Write the changes in this order without duplicates, and notify readers at COMMIT."""
    distinct = dict.fromkeys(changes)
    if not distinct:
        return
    copying.copy(connection, _COPY, ("text", "text", "bigint", "bigint", "uuid"), distinct)
    connection.execute("SELECT pg_notify(%s, '')", [CHANNEL])
