"""Writes the change feed. A change names what changed; readers load its state when they deliver it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from store.postgres import json_rows
from store.postgres.connections import Connection

CHANNEL = "sak_changes"
"""Each transaction with changes notifies this channel once, without a payload."""

ChangeKind: TypeAlias = Literal[
    "message", "status", "edit", "delete", "reaction", "read", "merge", "session", "send", "star", "label", "note"
]


@dataclass(frozen=True, slots=True)
class Change:
    kind: ChangeKind
    session_id: str | None
    chat_id: int | None = None
    """The canonical chat."""
    message_row_id: int | None = None
    """whatsapp_messages.id."""
    send_id: str | None = None
    """The id of a send that has no message yet."""


def publish(connection: Connection, changes: Iterable[Change]) -> None:
    """Write the changes in this order without duplicates, and notify readers at COMMIT."""
    distinct = dict.fromkeys(changes)
    if not distinct:
        return
    connection.execute(
        """
        INSERT INTO changes (kind, session_id, chat_id, message, send_id)
        SELECT r.kind, r.session_id, r.chat_id, r.message, r.send_id
        FROM jsonb_to_recordset(%(rows)s::jsonb)
            AS r (kind text, session_id text, chat_id bigint, message bigint, send_id uuid)
        """,
        {
            "rows": json_rows.encode(
                {
                    "kind": change.kind,
                    "session_id": change.session_id,
                    "chat_id": change.chat_id,
                    "message": change.message_row_id,
                    **({"send_id": change.send_id} if change.send_id else {}),
                }
                for change in distinct
            )
        },
    )
    connection.execute("SELECT pg_notify(%s, '')", [CHANNEL])
