"""Deletes messages that are older than their retention, with their updates and sends, and previews the deletion.

A message expires if all its copies in the chat are old enough. A tombstone remains
(store/history/messages/message_tombstones.py), so that no late copy restores it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import LiteralString, TypeAlias, cast

from store.feed import changes
from store.feed.changes import Change
from store.history.chats import chat_summaries, chats
from store.history.messages import message_keys
from store.postgres import lock_retry
from store.postgres.connections import Connection
from store.retention import orphans

BATCH_SIZE = 500
"""The number of messages in one transaction."""

_ALL_COPIES_EXPIRED: LiteralString = """NOT EXISTS (
    SELECT FROM whatsapp_messages AS o
    JOIN chats AS oc USING (chat_id)
    WHERE o.key_id = m.key_id AND o.timestamp >= %(before)s AND oc.canonical_chat_id = c.canonical_chat_id
)"""
"""True if all copies of the message `m` in its chat `c` are older than the limit."""

PruneCursor: TypeAlias = tuple[int, int, int]
"""(chat_id, timestamp, id). Messages expire chat by chat, which causes few changes per chat in the feed."""


@dataclass(frozen=True, slots=True)
class ExpiredMessages:
    messages: int
    """The number of rows. A message under two addresses of one chat has two rows."""
    since: int | None
    """The time of the oldest message in ms."""
    chats: int
    updates: int
    """The number of acks, edits, deletes and reactions."""
    sends: int


@dataclass(frozen=True, slots=True)
class DeletedMessages:
    messages: int
    updates: int
    sends: int


@dataclass(frozen=True, slots=True)
class _ExpiredBatch:
    row_ids: Sequence[int]
    key_ids: Sequence[int]
    canonical_chats: Sequence[tuple[str, int]]


def preview(connection: Connection, before: int) -> ExpiredMessages:
    """Return what `prune` would delete with this limit in ms, in the snapshot of the caller's transaction."""
    row = connection.execute(
        f"""
        WITH old AS MATERIALIZED (
            SELECT m.key_id, c.canonical_chat_id, m.timestamp
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            WHERE m.timestamp < %(before)s AND {_ALL_COPIES_EXPIRED}
        ),
        messages AS (SELECT DISTINCT o.key_id, o.canonical_chat_id FROM old AS o)
        SELECT count(*), min(o.timestamp), count(DISTINCT o.canonical_chat_id),
            (
                SELECT count(*)
                FROM message_updates AS k
                LEFT JOIN chats AS c USING (chat_id)
                WHERE EXISTS (
                    SELECT FROM messages AS m
                    WHERE m.key_id = k.key_id AND (k.chat_id IS NULL OR m.canonical_chat_id = c.canonical_chat_id)
                )
            ),
            (SELECT count(*) FROM sends AS s JOIN messages AS m USING (key_id) JOIN chats AS c USING (chat_id)
                WHERE m.canonical_chat_id = c.canonical_chat_id)
        FROM old AS o
        """,
        {"before": before},
    ).fetchone()
    messages, since, in_chats, updates, sends = cast("tuple[int, int | None, int, int, int]", row)
    orphaned = orphans.preview(connection, before)
    return ExpiredMessages(messages, since, in_chats, updates + orphaned.updates, sends + orphaned.sends)


def prune(connection: Connection, before: int) -> Iterator[DeletedMessages]:
    """Delete messages older than `before` (in ms), one transaction at a time. An interrupted call can be repeated.

    Safe with concurrent writers, readers, replays and calls. Raises StoreError.
    """
    last: PruneCursor | None = (0, 0, 0)
    while last is not None:
        last, deleted = lock_retry.retry_on_lock(lambda last=last: _prune_page(connection, before, last))
        yield deleted
    for updates, sends in orphans.prune(connection, before):
        yield DeletedMessages(0, updates, sends)


def _prune_page(connection: Connection, before: int, cursor: PruneCursor) -> tuple[PruneCursor | None, DeletedMessages]:
    with connection.transaction():
        page = connection.execute(
            """
            SELECT m.chat_id, m.timestamp, m.id, m.key_id
            FROM chats AS c
            CROSS JOIN LATERAL (
                SELECT m.chat_id, m.timestamp, m.id, m.key_id
                FROM whatsapp_messages AS m
                WHERE m.chat_id = c.chat_id AND m.timestamp < %(before)s
                    -- Skips deleted rows that are still in the index.
                    AND m.timestamp >= CASE WHEN c.chat_id = %(chat)s THEN %(timestamp)s ELSE %(least)s END
                    AND (c.chat_id > %(chat)s OR (m.timestamp, m.id) > (%(timestamp)s, %(id)s))
                ORDER BY m.timestamp, m.id
                LIMIT %(limit)s
            ) AS m
            WHERE c.chat_id >= %(chat)s
            ORDER BY c.chat_id, m.timestamp, m.id
            LIMIT %(limit)s
            """,
            {
                "before": before,
                "chat": cursor[0],
                "timestamp": cursor[1],
                "id": cursor[2],
                "least": -(2**63),
                "limit": BATCH_SIZE,
            },
        ).fetchall()
        rows = cast("Sequence[tuple[int, int, int, int]]", page)
        if not rows:
            return None, DeletedMessages(0, 0, 0)
        batch = _lock_expired(connection, before, sorted({key_id for *_, key_id in rows}))
        updates, sends = _delete_batch(connection, batch) if batch.row_ids else (0, 0)
    return rows[-1][:3], DeletedMessages(len(batch.row_ids), updates, sends)


def _lock_expired(connection: Connection, before: int, key_ids: Sequence[int]) -> _ExpiredBatch:
    """Lock these keys and their chats, and return the messages with these keys that have expired."""
    message_keys.lock_ids(connection, key_ids)
    chats.lock(connection, chats.addresses_of_keys(connection, list(key_ids)))
    expired = connection.execute(
        f"""
        SELECT m.id, m.key_id, c.session_id, c.canonical_chat_id
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        WHERE m.key_id = ANY(%(keys)s) AND {_ALL_COPIES_EXPIRED}
        """,
        {"keys": key_ids, "before": before},
    ).fetchall()
    rows = cast("Sequence[tuple[int, int, str, int]]", expired)
    return _ExpiredBatch(
        [row_id for row_id, *_ in rows],
        sorted({key_id for _, key_id, _, _ in rows}),
        sorted({(session_id, chat_id) for _, _, session_id, chat_id in rows}),
    )


def _delete_batch(connection: Connection, batch: _ExpiredBatch) -> tuple[int, int]:
    """Delete the messages with their updates and sends, and update their chats. Return (updates, sends)."""
    rows = {"rows": list(batch.row_ids)}
    connection.execute(
        """
        INSERT INTO expired_message_tombstones (key_id, chat_id, direction)
        SELECT m.key_id, m.chat_id, m.direction FROM whatsapp_messages AS m WHERE m.id = ANY(%(rows)s)
        UNION
        -- Updates may be stored under another address of the chat, and addresses can be separated again.
        SELECT k.key_id, k.chat_id, coalesce(k.direction, 'outgoing')
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        CROSS JOIN LATERAL chat_ids_of(c.canonical_chat_id) AS a
        JOIN message_updates AS k ON k.key_id = m.key_id AND k.chat_id = a.chat_id
        WHERE m.id = ANY(%(rows)s)
        ON CONFLICT DO NOTHING
        """,
        rows,
    )
    message_keys.mark_tombstoned(connection, batch.key_ids)
    updates = connection.execute(
        """
        DELETE FROM message_updates AS k
        USING whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        WHERE m.id = ANY(%(rows)s) AND k.key_id = m.key_id AND (
            k.chat_id IS NULL
            OR k.chat_id IN (SELECT a.chat_id FROM chat_ids_of(c.canonical_chat_id) AS a)
        )
        """,
        rows,
    ).rowcount
    sends = connection.execute(
        """
        DELETE FROM sends AS s
        USING whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        WHERE m.id = ANY(%(rows)s) AND s.key_id = m.key_id
            AND s.chat_id IN (SELECT a.chat_id FROM chat_ids_of(c.canonical_chat_id) AS a)
        """,
        rows,
    ).rowcount
    connection.execute("DELETE FROM whatsapp_messages AS m WHERE m.id = ANY(%(rows)s)", rows)
    chat_summaries.recount(connection, [chat_id for _, chat_id in batch.canonical_chats])
    changes.publish(connection, [Change("merge", session_id, chat_id) for session_id, chat_id in batch.canonical_chats])
    return updates, sends
