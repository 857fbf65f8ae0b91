"""Message keys: the rows to lock before anything is written about a message.

Lock first, look afterwards: an ack and its message that commit side by side both take the key, so the later one sees
what the earlier one left. Looking before locking lets them miss each other for ever.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from store.postgres import json_rows
from store.postgres.connections import Connection

MessageKey: TypeAlias = tuple[str, str]
"""(session_id, message_id)"""


@dataclass(frozen=True, slots=True)
class LockedKey:
    key_id: int
    is_new: bool
    """Nothing was ever said about the message before this transaction."""
    has_tombstone: bool = False
    """A message with this id was forgotten because of its age (store/history/message_tombstones.py)."""


def lock(
    connection: Connection, message_keys: Iterable[MessageKey], session_numbers: Mapping[str, int]
) -> dict[MessageKey, LockedKey]:
    """Lock the keys, making those that are not there; sorted, so that two transactions never wait for each other."""
    wanted = {
        (session_numbers[session_id], message_id): (session_id, message_id) for session_id, message_id in message_keys
    }
    if not wanted:
        return {}
    document = json_rows.encode({"session_number": session, "message_id": message_id} for session, message_id in wanted)
    found: dict[MessageKey, LockedKey] = {}
    made = connection.execute(
        """
        INSERT INTO message_keys (session_number, message_id)
        SELECT r.session_number, r.message_id
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (session_number integer, message_id text)
        ORDER BY r.session_number, r.message_id
        ON CONFLICT (session_number, message_id) DO NOTHING
        RETURNING key_id, session_number, message_id
        """,
        {"rows": document},
    )
    for key_id, session, message_id in cast("list[tuple[int, int, str]]", made.fetchall()):
        found[wanted[session, message_id]] = LockedKey(key_id, is_new=True)
    if len(found) < len(wanted):
        locked = connection.execute(
            """
            SELECT k.key_id, k.session_number, k.message_id, k.has_tombstone
            FROM message_keys AS k
            JOIN jsonb_to_recordset(%(rows)s::jsonb) AS r (session_number integer, message_id text)
                USING (session_number, message_id)
            ORDER BY k.session_number, k.message_id
            FOR UPDATE OF k
            """,
            {"rows": document},
        )
        for key_id, session, message_id, retired in cast("Iterable[tuple[int, int, str, bool]]", locked):
            found.setdefault(wanted[session, message_id], LockedKey(key_id, is_new=False, has_tombstone=retired))
    return found
