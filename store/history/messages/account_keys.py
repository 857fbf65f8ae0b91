"""Replaces the message keys that a session had before it joined an account by the account's keys.

A session has one row per key and chat for a message. Before a message is written under the account's key, its row under
the session's old key must therefore be moved to it.
"""

from collections.abc import Collection, Sequence
from typing import LiteralString, cast

from store.history.messages import message_keys
from store.history.sessions import sessions
from store.history.sessions.accounts import Accounts
from store.model import message_columns
from store.model.keys import MessageKey
from store.model.message_columns import Column
from store.postgres.connections import Connection


def merge_unmerged(connection: Connection, known_accounts: Accounts, keys: Collection[MessageKey]) -> None:
    """Replace the keys of these messages in the sessions that are not merged yet."""
    for session_id in known_accounts.unmerged:
        primary_id = known_accounts.primary_of(session_id)
        if message_ids := [message_id for primary, message_id in keys if primary == primary_id]:
            merge(connection, session_id, primary_id, message_ids)


def merge(connection: Connection, session_id: str, primary_id: str, message_ids: Collection[str]) -> list[int]:
    """Replace the session's keys of these messages by those of its primary session. All of them are locked.

    Returns the keys of the primary session, whose messages must be recomputed.
    """
    numbers = sessions.ensure(connection, {session_id, primary_id})
    found = connection.execute(
        "SELECT message_id FROM message_keys WHERE session_number = %s AND message_id = ANY(%s)",
        [numbers[session_id], list(message_ids)],
    )
    old_ids = [cast("str", message_id) for (message_id,) in found]
    if not old_ids:
        return []
    names = {(each, message_id) for each in (session_id, primary_id) for message_id in old_ids}
    locked = message_keys.lock(connection, names, numbers)
    pairs = {
        "old": [locked[session_id, message_id].key_id for message_id in old_ids],
        "new": [locked[primary_id, message_id].key_id for message_id in old_ids],
    }
    for statement in _STATEMENTS:
        connection.execute(statement, pairs)
    return pairs["new"]


_PAIRS: LiteralString = "unnest(%(old)s::bigint[], %(new)s::bigint[]) AS r (old, new)"


def _replace(table: LiteralString) -> LiteralString:
    return f"UPDATE {table} AS t SET key_id = r.new FROM {_PAIRS} WHERE t.key_id = r.old"


def _copy(table: LiteralString, columns: Sequence[Column]) -> LiteralString:
    """Return a statement that copies rows to the new key. An event about both sessions may already have one there."""
    return f"""
        INSERT INTO {table} (key_id, {message_columns.names(columns)})
        SELECT r.new, {message_columns.names(columns, "t")}
        FROM {table} AS t
        JOIN {_PAIRS} ON r.old = t.key_id
        ON CONFLICT DO NOTHING
    """


def _delete(table: LiteralString) -> LiteralString:
    return f"DELETE FROM {table} AS t WHERE t.key_id = ANY(%(old)s)"


_STATEMENTS: Sequence[LiteralString] = (
    _replace("whatsapp_messages"),
    _replace("sends"),
    _replace("raw_events"),
    _replace("expired_message_tombstones"),
    _copy("event_keys", [Column("event_id", "bigint")]),
    _delete("event_keys"),
    _copy("message_updates", [column for column in message_columns.UPDATE if column.name != "key_id"]),
    _delete("message_updates"),
    f"""
    UPDATE message_keys AS k
    SET has_pruned_sources = k.has_pruned_sources OR o.has_pruned_sources,
        has_tombstone = k.has_tombstone OR o.has_tombstone
    FROM {_PAIRS}
    JOIN message_keys AS o ON o.key_id = r.old
    WHERE k.key_id = r.new AND (o.has_pruned_sources OR o.has_tombstone)
    """,
    _delete("message_keys"),
)
"""The order matters: updates and sends refer to their keys."""
