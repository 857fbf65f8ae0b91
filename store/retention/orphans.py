"""What was said about messages that are not there, and sends that became none: it grows old without them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from store.feed import changes
from store.feed.changes import Change
from store.history import chats, message_keys
from store.postgres import errors, lock_retry
from store.postgres.connections import Connection

BATCH_SIZE = 500
"""Ids of messages, or sends, in one transaction."""


@dataclass(frozen=True, slots=True)
class ExpiredOrphans:
    updates: int
    sends: int


def preview(connection: Connection, before: int) -> ExpiredOrphans:
    """What would go that was said before this, in ms; in the caller's transaction, for a snapshot."""
    sends = connection.execute(
        "SELECT count(*) FROM sends AS s WHERE s.key_id IS NULL AND s.state <> 'accepted' AND s.timestamp < %s",
        [before],
    ).fetchone()
    assert sends is not None, "a count is a row"
    return ExpiredOrphans(sum(_count_orphaned_updates(connection, before).values()), cast("int", sends[0]))


def prune(connection: Connection, before: int) -> Iterator[tuple[int, int]]:
    """Let it go, a transaction at a time: how many marks, how many sends. Raises StoreError."""
    with errors.translated():
        left = list(_count_orphaned_updates(connection, before))
    while left:
        some = left[:BATCH_SIZE]
        yield lock_retry.retry_on_lock(lambda some=some: _prune_updates(connection, before, some)), 0
        del left[:BATCH_SIZE]
    while sends := lock_retry.retry_on_lock(lambda: _prune_sends(connection, before)):
        yield 0, sends


def _count_orphaned_updates(connection: Connection, before: int) -> dict[int, int]:
    """How many marks go with each id of which no message stays, and of which nobody said anything lately.

    What goes with a message is not among them; nor are acks in chats where only acks are: they say too little.
    """
    found = connection.execute(
        """
        WITH said AS (
            SELECT k.key_id, k.kind, k.occurred_at, k.chat_id IS NULL OR bool_or(k.kind <> 'ack')
                OVER (PARTITION BY k.key_id, c.canonical_chat_id) AS goes
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
        SELECT s.key_id, count(*) FILTER (WHERE s.goes)
        FROM said AS s
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
        # A later statement: the message may have come while we waited for its lock.
        still = connection.execute(
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
        going = {"keys": [cast("int", key_id) for (key_id,) in still]}
        connection.execute(
            """
            INSERT INTO expired_message_tombstones (key_id, chat_id, direction)
            SELECT DISTINCT k.key_id, a.chat_id, k.direction
            FROM message_updates AS k
            JOIN chats AS c USING (chat_id)
            CROSS JOIN LATERAL chat_ids_of(c.canonical_chat_id) AS a
            WHERE k.key_id = ANY(%(keys)s) AND k.kind <> 'ack'
            ON CONFLICT DO NOTHING
            """,
            going,
        )
        message_keys.mark_tombstoned(connection, going["keys"])
        # Exactly what would be passed over if it were said again (store/history/message_tombstones.py).
        return connection.execute(
            """
            WITH said AS (
                SELECT k.key_id, k.kind, k.digest, k.chat_id IS NULL OR bool_or(k.kind <> 'ack')
                    OVER (PARTITION BY k.key_id, c.canonical_chat_id) AS goes
                FROM message_updates AS k
                LEFT JOIN chats AS c USING (chat_id)
                WHERE k.key_id = ANY(%(keys)s)
            )
            DELETE FROM message_updates AS k
            USING said AS s
            WHERE s.goes AND k.key_id = s.key_id AND k.kind = s.kind AND k.digest = s.digest
            """,
            going,
        ).rowcount


def _prune_sends(connection: Connection, before: int) -> int:
    with connection.transaction():
        gone = connection.execute(
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
        heads = sorted(set(cast("Sequence[tuple[str, int]]", gone)))
        changes.publish(connection, [Change("merge", session_id, head) for session_id, head in heads])
    return len(gone)
