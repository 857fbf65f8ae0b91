"""Locks message keys: rows that a transaction locks before it reads or writes anything about a message.

An ack and its message in two transactions lock the same key, so the later transaction sees what the earlier one wrote.
Reading before locking would let them miss each other for ever.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from store.postgres import json_rows
from store.postgres.connections import Connection

MessageKey: TypeAlias = tuple[str, str]
"""(session_id, message_id); of an account's sessions, that of the primary one (store/history/accounts.py)."""


@dataclass(frozen=True, slots=True)
class LockedKey:
    key_id: int
    is_new: bool
    """This transaction inserted the key, so nothing about the message is stored."""
    has_tombstone: bool = False
    """A message with this key has expired (store/history/message_tombstones.py)."""


def lock(
    connection: Connection, message_keys: Iterable[MessageKey], session_numbers: Mapping[str, int]
) -> dict[MessageKey, LockedKey]:
    """Lock the keys and insert missing ones; in order, so that transactions do not deadlock."""
    wanted = {
        (session_numbers[session_id], message_id): (session_id, message_id) for session_id, message_id in message_keys
    }
    if not wanted:
        return {}
    rows = json_rows.encode({"session_number": session, "message_id": message_id} for session, message_id in wanted)
    locked: dict[MessageKey, LockedKey] = {}
    inserted = connection.execute(
        """
        INSERT INTO message_keys (session_number, message_id)
        SELECT r.session_number, r.message_id
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (session_number integer, message_id text)
        ORDER BY r.session_number, r.message_id
        ON CONFLICT (session_number, message_id) DO NOTHING
        RETURNING key_id, session_number, message_id
        """,
        {"rows": rows},
    )
    for key_id, session, message_id in cast("list[tuple[int, int, str]]", inserted.fetchall()):
        locked[wanted[session, message_id]] = LockedKey(key_id, is_new=True)
    if len(locked) < len(wanted):
        existing = connection.execute(
            """
            SELECT k.key_id, k.session_number, k.message_id, k.has_tombstone
            FROM message_keys AS k
            JOIN jsonb_to_recordset(%(rows)s::jsonb) AS r (session_number integer, message_id text)
                USING (session_number, message_id)
            ORDER BY k.session_number, k.message_id
            FOR UPDATE OF k
            """,
            {"rows": rows},
        )
        for key_id, session, message_id, tombstone in cast("Iterable[tuple[int, int, str, bool]]", existing):
            locked.setdefault(wanted[session, message_id], LockedKey(key_id, is_new=False, has_tombstone=tombstone))
    return locked


def lock_ids(connection: Connection, key_ids: Collection[int]) -> None:
    """Lock existing keys, in the same order as `lock`."""
    connection.execute(
        "SELECT FROM message_keys AS k WHERE k.key_id = ANY(%s) ORDER BY k.session_number, k.message_id FOR UPDATE",
        [list(key_ids)],
    )


def lock_of_events(
    connection: Connection, events: Collection[tuple[int, int | None]], *, only_unpruned: bool = False
) -> list[int]:
    """Lock the keys of these events, given as (event_id, key_id), and return them, with those of event_keys.

    With `only_unpruned`, leave out keys that are marked as having lost a source.
    """
    locked = connection.execute(
        """
        SELECT k.key_id
        FROM message_keys AS k
        WHERE k.key_id IN (
            SELECT unnest(%(keys)s::bigint[])
            UNION
            SELECT more.key_id FROM event_keys AS more WHERE more.event_id = ANY(%(events)s)
        ) AND NOT (%(only_unpruned)s AND k.has_pruned_sources)
        ORDER BY k.session_number, k.message_id
        FOR UPDATE
        """,
        {
            "keys": [key_id for _, key_id in events if key_id is not None],
            "events": [event_id for event_id, _ in events],
            "only_unpruned": only_unpruned,
        },
    )
    return [cast("int", key_id) for (key_id,) in locked]


def mark_pruned(connection: Connection, key_ids: Iterable[int]) -> None:
    """Mark locked keys as having lost a source, so that a replay does not take the remaining ones for all."""
    connection.execute(
        "UPDATE message_keys SET has_pruned_sources = true WHERE key_id = ANY(%s) AND NOT has_pruned_sources",
        [sorted(set(key_ids))],
    )


def mark_tombstoned(connection: Connection, key_ids: Iterable[int]) -> None:
    """Mark locked keys as having a tombstone, so that later events about them look it up."""
    connection.execute(
        "UPDATE message_keys SET has_tombstone = true WHERE key_id = ANY(%s) AND NOT has_tombstone",
        [sorted(set(key_ids))],
    )
