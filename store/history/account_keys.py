"""Replaces the message keys that a session had before it joined its account by those of the account.

Under one key, a session has one row of a message in a chat. So whoever writes about a message under the account's key
first replaces the older one.
"""

from collections.abc import Collection, Sequence
from typing import LiteralString, cast

from store.history import message_keys, sessions
from store.history.accounts import Accounts
from store.history.message_keys import MessageKey
from store.model import message_columns
from store.postgres.connections import Connection


def merge_unmerged(connection: Connection, known_accounts: Accounts, keys: Collection[MessageKey]) -> None:
    """Replace the keys that unmerged sessions have of the messages of these keys."""
    for session_id in known_accounts.unmerged:
        primary_id = known_accounts.primary_of(session_id)
        if message_ids := [message_id for primary, message_id in keys if primary == primary_id]:
            merge(connection, session_id, primary_id, message_ids)


def merge(connection: Connection, session_id: str, primary_id: str, message_ids: Collection[str]) -> list[int]:
    """Replace the keys that the session has of these messages by those of its primary session, all locked.

    Returns the latter: their messages must be recomputed.
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
    for statement in _REPLACE:
        connection.execute(statement, pairs)
    return pairs["new"]


_UPDATE_REST = tuple(column for column in message_columns.UPDATE if column.name not in ("key_id", "digest"))
_REPLACE: Sequence[LiteralString] = (
    """
    UPDATE whatsapp_messages AS m
    SET key_id = r.new
    FROM unnest(%(old)s::bigint[], %(new)s::bigint[]) AS r (old, new)
    WHERE m.key_id = r.old
    """,
    """
    UPDATE sends AS s
    SET key_id = r.new
    FROM unnest(%(old)s::bigint[], %(new)s::bigint[]) AS r (old, new)
    WHERE s.key_id = r.old
    """,
    """
    UPDATE raw_events AS e
    SET key_id = r.new
    FROM unnest(%(old)s::bigint[], %(new)s::bigint[]) AS r (old, new)
    WHERE e.key_id = r.old
    """,
    """
    UPDATE expired_message_tombstones AS t
    SET key_id = r.new
    FROM unnest(%(old)s::bigint[], %(new)s::bigint[]) AS r (old, new)
    WHERE t.key_id = r.old
    """,
    # An event that tells of both sessions is linked to the account's key already, and its update is there.
    """
    INSERT INTO event_keys (key_id, event_id)
    SELECT r.new, k.event_id
    FROM event_keys AS k
    JOIN unnest(%(old)s::bigint[], %(new)s::bigint[]) AS r (old, new) ON r.old = k.key_id
    ON CONFLICT DO NOTHING
    """,
    """
    DELETE FROM event_keys AS k
    USING unnest(%(old)s::bigint[]) AS r (old)
    WHERE k.key_id = r.old
    """,
    f"""
    INSERT INTO message_updates (key_id, digest, {message_columns.names(_UPDATE_REST)})
    SELECT r.new, k.digest, {message_columns.names(_UPDATE_REST, "k")}
    FROM message_updates AS k
    JOIN unnest(%(old)s::bigint[], %(new)s::bigint[]) AS r (old, new) ON r.old = k.key_id
    ON CONFLICT DO NOTHING
    """,  # noqa: S608 - assembled from literals only, which the type proves
    """
    DELETE FROM message_updates AS k
    USING unnest(%(old)s::bigint[]) AS r (old)
    WHERE k.key_id = r.old
    """,
    """
    UPDATE message_keys AS k
    SET has_pruned_sources = k.has_pruned_sources OR o.has_pruned_sources,
        has_tombstone = k.has_tombstone OR o.has_tombstone
    FROM unnest(%(old)s::bigint[], %(new)s::bigint[]) AS r (old, new)
    JOIN message_keys AS o ON o.key_id = r.old
    WHERE k.key_id = r.new AND (o.has_pruned_sources OR o.has_tombstone)
    """,
    """
    DELETE FROM message_keys AS k
    USING unnest(%(old)s::bigint[]) AS r (old)
    WHERE k.key_id = r.old
    """,
)
"""In this order: updates and sends refer to their keys."""
