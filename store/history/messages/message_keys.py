"""Locks message keys. A transaction locks a key before it reads or writes anything about the message.

If an ack and its message arrive in two transactions, both lock the same key, so the later one sees what the earlier one
wrote. Without the lock, neither might see the other.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias, cast

from store.model.keys import MessageKey
from store.postgres import copying, json_rows
from store.postgres.connections import Connection

_Key: TypeAlias = tuple[int, str]
"""(session_number, message_id)"""
_COPY: Final = "COPY message_keys (key_id, session_number, message_id) FROM STDIN (FORMAT binary)"


class LockedKey(NamedTuple):
    """A locked row. A tuple for speed, as there is one for every message."""

    key_id: int
    is_new: bool
    """True if this transaction inserted the key, so that nothing about the message is stored yet."""
    has_tombstone: bool = False
    """True if a message with this key has expired (store/history/messages/message_tombstones.py)."""


def lock(
    connection: Connection, message_keys: Iterable[MessageKey], session_numbers: Mapping[str, int]
) -> dict[MessageKey, LockedKey]:
    """Lock the keys in sorted order, to avoid deadlocks, and insert missing ones."""
    wanted = {
        (session_numbers[session_id], message_id): (session_id, message_id) for session_id, message_id in message_keys
    }
    if not wanted:
        return {}
    locked = {
        wanted[session, message_id]: LockedKey(key_id, is_new=True)
        for key_id, session, message_id in _insert_absent(connection, wanted)
    }
    if len(locked) < len(wanted):
        existing = connection.execute(
            """
            SELECT k.key_id, k.session_number, k.message_id, k.has_tombstone
            FROM message_keys AS k
            JOIN json_to_recordset(%(rows)s::json) AS r (session_number integer, message_id text)
                USING (session_number, message_id)
            ORDER BY k.session_number, k.message_id
            FOR UPDATE OF k
            """,
            {"rows": _encode(wanted)},
        )
        for key_id, session, message_id, tombstone in cast("Iterable[tuple[int, int, str, bool]]", existing):
            locked.setdefault(wanted[session, message_id], LockedKey(key_id, is_new=False, has_tombstone=tombstone))
    return locked


def _insert_absent(connection: Connection, keys: Collection[_Key]) -> Sequence[tuple[int, int, str]]:
    """Insert the keys that are absent. Return them as (key_id, session_number, message_id)."""
    if len(keys) < copying.MIN_ROWS:
        return _insert(connection, keys)
    # In PostgreSQL's order, in which the other statements take their locks, too.
    absent = connection.execute(
        """
        SELECT nextval('message_keys_key_id_seq'), w.session_number, w.message_id
        FROM (
            SELECT w.session_number, w.message_id
            FROM unnest(%b::integer[], %b::text[]) AS w (session_number, message_id)
            WHERE NOT EXISTS (
                SELECT FROM message_keys AS k WHERE (k.session_number, k.message_id) = (w.session_number, w.message_id)
            )
            ORDER BY w.session_number, w.message_id
        ) AS w
        """,
        [[session for session, _ in keys], [message_id for _, message_id in keys]],
    )
    rows = cast("list[tuple[int, int, str]]", absent.fetchall())
    if copying.copy_absent(connection, _COPY, ("bigint", "integer", "text"), rows):
        return rows
    return _insert(connection, [(session, message_id) for _, session, message_id in rows])


def _insert(connection: Connection, keys: Iterable[_Key]) -> Sequence[tuple[int, int, str]]:
    inserted = connection.execute(
        """
        INSERT INTO message_keys (session_number, message_id)
        SELECT r.session_number, r.message_id
        FROM json_to_recordset(%s::json) AS r (session_number integer, message_id text)
        ORDER BY r.session_number, r.message_id
        ON CONFLICT (session_number, message_id) DO NOTHING
        RETURNING key_id, session_number, message_id
        """,
        [_encode(keys)],
    )
    return cast("list[tuple[int, int, str]]", inserted.fetchall())


def _encode(keys: Iterable[_Key]) -> str:
    return json_rows.encode({"session_number": session, "message_id": message_id} for session, message_id in keys)


def lock_ids(connection: Connection, key_ids: Collection[int]) -> None:
    """Lock existing keys in the order that `lock` uses."""
    connection.execute(
        "SELECT FROM message_keys AS k WHERE k.key_id = ANY(%s) ORDER BY k.session_number, k.message_id FOR UPDATE",
        [list(key_ids)],
    )


def lock_for_events(
    connection: Connection, events: Collection[tuple[int, int | None]], *, only_unpruned: bool = False
) -> list[int]:
    """Lock and return the keys of these events, given as (event_id, key_id), and their keys in event_keys.

    If `only_unpruned` is true, pruned keys are left out.
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
    """Mark locked keys as pruned: a replay must not treat the remaining events as all of them."""
    connection.execute(
        "UPDATE message_keys SET has_pruned_sources = true WHERE key_id = ANY(%s) AND NOT has_pruned_sources",
        [sorted(set(key_ids))],
    )


def mark_tombstoned(connection: Connection, key_ids: Iterable[int]) -> None:
    """Mark locked keys as having a tombstone, so that later events about them look for it."""
    connection.execute(
        "UPDATE message_keys SET has_tombstone = true WHERE key_id = ANY(%s) AND NOT has_tombstone",
        [sorted(set(key_ids))],
    )
