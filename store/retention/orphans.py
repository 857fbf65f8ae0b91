"""Expires updates whose message never arrived, and sends that never became a message."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import LiteralString, cast

from store.feed import changes
from store.feed.changes import Change
from store.history.chats import chats
from store.history.messages import message_keys
from store.postgres import errors, lock_retry
from store.postgres.connections import Connection

BATCH_SIZE = 500
"""The number of message keys or sends in one transaction."""
_EXPIRES: LiteralString = (
    "(k.chat_id IS NULL OR bool_or(k.kind <> 'ack') OVER (PARTITION BY k.key_id, c.canonical_chat_id))"
)
"""True if the update `k` expires. It does not if its chat `c` has only acks of the message, which have no content."""


@dataclass(frozen=True, slots=True)
class ExpiredOrphans:
    updates: int
    sends: int


def preview(connection: Connection, before: int) -> ExpiredOrphans:
    """Return what `prune` would delete with this limit in ms, in the snapshot of the caller's transaction."""
    sends = connection.execute(
        "SELECT count(*) FROM sends AS s WHERE s.key_id IS NULL AND s.state <> 'accepted' AND s.timestamp < %s",
        [before],
    ).fetchone()
    assert sends is not None, "a count is a row"
    return ExpiredOrphans(sum(_count_orphaned_updates(connection, before).values()), cast("int", sends[0]))


def prune(connection: Connection, before: int) -> Iterator[tuple[int, int]]:
    """Delete orphans, one transaction at a time, and yield (updates, sends) after each. Raises StoreError."""
    with errors.translated():
        key_ids = list(_count_orphaned_updates(connection, before))
    for start in range(0, len(key_ids), BATCH_SIZE):
        page = key_ids[start : start + BATCH_SIZE]
        yield lock_retry.retry_on_lock(lambda page=page: _prune_updates(connection, before, page)), 0
    while sends := lock_retry.retry_on_lock(lambda: _prune_sends(connection, before)):
        yield 0, sends


def _count_orphaned_updates(connection: Connection, before: int) -> dict[int, int]:
    """Return the number of updates to delete, by key without a remaining message and without recent updates.

    Updates of stored messages are not counted, because they are deleted with their message. Nor are acknowledgements of
    a message of which the chat has nothing else, because they have no content.
    """
    found = connection.execute(
        f"""
        WITH updates AS (
            SELECT k.key_id, k.kind, k.occurred_at, {_EXPIRES} AS expires
            FROM message_updates AS k
            LEFT JOIN chats AS c USING (chat_id)
            WHERE NOT EXISTS (
                SELECT FROM whatsapp_messages AS m WHERE m.key_id = k.key_id AND m.timestamp >= %(before)s
            ) AND NOT EXISTS (
                SELECT FROM whatsapp_messages AS m
                JOIN chats AS mc USING (chat_id)
                WHERE m.key_id = k.key_id
                    AND (k.chat_id IS NULL OR mc.canonical_chat_id = c.canonical_chat_id)
            )
        )
        SELECT s.key_id, count(*) FILTER (WHERE s.expires)
        FROM updates AS s
        GROUP BY s.key_id
        HAVING max(s.occurred_at) < %(before)s AND bool_or(s.kind <> 'ack')
        ORDER BY s.key_id
        """,
        {"before": before},
    )
    return dict(cast("Iterable[tuple[int, int]]", found))


def _prune_updates(connection: Connection, before: int, key_ids: Sequence[int]) -> int:
    with connection.transaction():
        message_keys.lock_ids(connection, key_ids)
        chats.lock(connection, chats.addresses_of_keys(connection, list(key_ids)))
        # The updates are read again, because the message may have arrived while this transaction waited for the lock.
        expired = connection.execute(
            """
            SELECT k.key_id
            FROM message_updates AS k
            WHERE k.key_id = ANY(%(keys)s)
                AND NOT EXISTS (SELECT FROM whatsapp_messages AS m WHERE m.key_id = k.key_id)
            GROUP BY k.key_id
            HAVING max(k.occurred_at) < %(before)s
            """,
            {"keys": list(key_ids), "before": before},
        ).fetchall()
        parameters = {"keys": [cast("int", key_id) for (key_id,) in expired]}
        connection.execute(
            """
            INSERT INTO expired_message_tombstones (key_id, chat_id, direction)
            SELECT DISTINCT k.key_id, a.chat_id, d.direction
            FROM message_updates AS k
            JOIN chats AS c USING (chat_id)
            -- An update that does not name its author may be of either side.
            CROSS JOIN (VALUES ('incoming'), ('outgoing')) AS d (direction)
            CROSS JOIN LATERAL chat_ids_of(c.canonical_chat_id) AS a
            WHERE k.key_id = ANY(%(keys)s) AND k.kind <> 'ack' AND d.direction = coalesce(k.direction, d.direction)
            ON CONFLICT DO NOTHING
            """,
            parameters,
        )
        message_keys.mark_tombstoned(connection, parameters["keys"])
        # The deleted updates are exactly those that the tombstones exclude from now on
        # (store/history/messages/message_tombstones.py).
        return connection.execute(
            f"""
            WITH updates AS (
                SELECT k.key_id, k.kind, k.digest, {_EXPIRES} AS expires
                FROM message_updates AS k
                LEFT JOIN chats AS c USING (chat_id)
                WHERE k.key_id = ANY(%(keys)s)
            )
            DELETE FROM message_updates AS k
            USING updates AS s
            WHERE s.expires AND k.key_id = s.key_id AND k.kind = s.kind AND k.digest = s.digest
            """,
            parameters,
        ).rowcount


def _prune_sends(connection: Connection, before: int) -> int:
    with connection.transaction():
        deleted = connection.execute(
            """
            DELETE FROM sends AS s
            USING (
                SELECT o.send_id
                FROM sends AS o
                WHERE o.key_id IS NULL AND o.state <> 'accepted' AND o.timestamp < %(before)s
                ORDER BY o.send_id
                LIMIT %(limit)s
                FOR UPDATE SKIP LOCKED
            ) AS o, chats AS c
            WHERE s.send_id = o.send_id AND c.chat_id = s.chat_id
            RETURNING s.session_id, c.canonical_chat_id
            """,
            {"before": before, "limit": BATCH_SIZE},
        ).fetchall()
        affected = sorted(set(cast("Sequence[tuple[str, int]]", deleted)))
        changes.publish(connection, [Change("merge", session_id, chat_id) for session_id, chat_id in affected])
    return len(deleted)
