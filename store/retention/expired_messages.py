"""Messages that are older than somebody wants to keep them: how many they are, and how they go, with all about them.

A message goes when every copy of it in its chat is old enough. What remains of it is that it was retired
(store/history/message_tombstones.py), so that nothing brings it back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from store.feed import changes, search_index
from store.feed.changes import Change
from store.history import chat_summaries, chats, message_keys
from store.postgres import lock_retry
from store.postgres.connections import Connection
from store.retention import orphans

BATCH_SIZE = 500
"""Messages in one transaction."""

PruneCursor: TypeAlias = tuple[int, int, int]
"""(chat_id, timestamp, id): messages go chat by chat, so that readers are told of each chat a few times at most."""


@dataclass(frozen=True, slots=True)
class ExpiredMessages:
    messages: int
    """Rows: a message that came under two addresses of one chat has two."""
    since: int | None
    """The time of the first, in ms."""
    chats: int
    updates: int
    """Acks, edits, deletes and reactions."""
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
    """What would go that happened before this, in ms; in the caller's transaction, for a snapshot."""
    row = connection.execute(
        """
        WITH old AS MATERIALIZED (
            SELECT m.key_id, c.canonical_chat_id, m.timestamp
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            WHERE m.timestamp < %(before)s AND NOT EXISTS (
                SELECT FROM whatsapp_messages AS o
                JOIN chats AS oc USING (chat_id)
                WHERE o.key_id = m.key_id AND o.timestamp >= %(before)s
                    AND oc.canonical_chat_id = c.canonical_chat_id
            )
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
    messages, since, in_chats, marks, sends = cast("tuple[int, int | None, int, int, int]", row)
    alone = orphans.preview(connection, before)
    return ExpiredMessages(messages, since, in_chats, marks + alone.updates, sends + alone.sends)


def prune(connection: Connection, before: int) -> Iterator[DeletedMessages]:
    """Let it go, a transaction at a time; interrupted anywhere, the next call goes on. Raises StoreError.

    Safe beside writers, readers, replays and another one of this.
    """
    last: PruneCursor | None = (0, 0, 0)
    while last is not None:
        last, gone = lock_retry.retry_on_lock(lambda last=last: _prune_page(connection, before, last))
        yield gone
    for marks, sends in orphans.prune(connection, before):
        yield DeletedMessages(0, marks, sends)


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
                    -- What went before is not read again, although it is still in the index.
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
        found = cast("Sequence[tuple[int, int, int, int]]", page)
        if not found:
            return None, DeletedMessages(0, 0, 0)
        going = _lock_expired(connection, before, sorted({key_id for *_, key_id in found}))
        marks, sends = _delete_batch(connection, going) if going.row_ids else (0, 0)
    return found[-1][:3], DeletedMessages(len(going.row_ids), marks, sends)


def _lock_expired(connection: Connection, before: int, key_ids: Sequence[int]) -> _ExpiredBatch:
    """What goes of the messages with these ids, found under their locks and those of their chats."""
    message_keys.lock_ids(connection, key_ids)
    chats.lock(connection, chats.addresses_of_keys(connection, list(key_ids)))
    going = connection.execute(
        """
        SELECT m.id, m.key_id, c.session_id, c.canonical_chat_id
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        WHERE m.key_id = ANY(%(keys)s) AND NOT EXISTS (
            SELECT FROM whatsapp_messages AS o
            JOIN chats AS oc USING (chat_id)
            WHERE o.key_id = m.key_id AND o.timestamp >= %(before)s
                AND oc.canonical_chat_id = c.canonical_chat_id
        )
        """,
        {"keys": key_ids, "before": before},
    ).fetchall()
    rows = cast("Sequence[tuple[int, int, str, int]]", going)
    return _ExpiredBatch(
        [row_id for row_id, *_ in rows],
        sorted({key_id for _, key_id, _, _ in rows}),
        sorted({(session_id, head) for _, _, session_id, head in rows}),
    )


def _delete_batch(connection: Connection, batch: _ExpiredBatch) -> tuple[int, int]:
    """Delete messages and what is said about them, and show their chats without them; how many marks and sends went."""
    rows = {"rows": list(batch.row_ids)}
    connection.execute(
        """
        INSERT INTO expired_message_tombstones (key_id, chat_id, direction)
        SELECT m.key_id, m.chat_id, m.direction FROM whatsapp_messages AS m WHERE m.id = ANY(%(rows)s)
        UNION
        -- Something was said of it under another address: addresses part again.
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
    marks = connection.execute(
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
    search_index.remove(connection, batch.row_ids)
    connection.execute("DELETE FROM whatsapp_messages AS m WHERE m.id = ANY(%(rows)s)", rows)
    heads = [head for _, head in batch.canonical_chats]
    chat_summaries.recount(connection, heads)
    changes.publish(connection, [Change("merge", session_id, head) for session_id, head in batch.canonical_chats])
    return marks, sends
