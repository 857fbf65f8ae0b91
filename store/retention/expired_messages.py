"""Messages that are older than somebody wants to keep them: how many they are, and how they go, with all about them.

A message goes when every copy of it in its chat is old enough. What remains of it is that it was retired
(store/history/message_tombstones.py), so that nothing brings it back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from store.feed import changes, search_index
from store.feed.changes import Change
from store.history import chat_summaries, chats
from store.postgres import lock_retry
from store.postgres.connections import Connection
from store.retention import orphans

BATCH = 500
"""Messages in one transaction."""
PATIENCE = 60.0
"""Seconds for which a batch gives way to others' locks."""

Place: TypeAlias = tuple[int, int, int]
"""(chat_id, timestamp, id): messages go chat by chat, so that readers are told of each chat a few times at most."""


@dataclass(frozen=True, slots=True)
class Old:
    messages: int
    """Rows: a message that came under two addresses of one chat has two."""
    since: int | None
    """The time of the first, in ms."""
    chats: int
    marks: int
    """Acks, edits, deletes and reactions."""
    sends: int


@dataclass(frozen=True, slots=True)
class Gone:
    messages: int
    marks: int
    sends: int


@dataclass(frozen=True, slots=True)
class _Going:
    rows: Sequence[int]
    keys: Sequence[int]
    heads: Sequence[tuple[str, int]]


def look(connection: Connection, before: int) -> Old:
    """What would go that happened before this, in ms; in the caller's transaction, for a snapshot."""
    row = connection.execute(
        """
        WITH old AS MATERIALIZED (
            SELECT m.key_id, coalesce(c.merged_into, c.chat_id) AS head, m.timestamp
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            WHERE m.timestamp < %(before)s AND NOT EXISTS (
                SELECT FROM whatsapp_messages AS o
                JOIN chats AS oc USING (chat_id)
                WHERE o.key_id = m.key_id AND o.timestamp >= %(before)s
                    AND coalesce(oc.merged_into, oc.chat_id) = coalesce(c.merged_into, c.chat_id)
            )
        ),
        messages AS (SELECT DISTINCT o.key_id, o.head FROM old AS o)
        SELECT count(*), min(o.timestamp), count(DISTINCT o.head),
            (
                SELECT count(*)
                FROM marks AS k
                LEFT JOIN chats AS c USING (chat_id)
                WHERE EXISTS (
                    SELECT FROM messages AS m
                    WHERE m.key_id = k.key_id AND (k.chat_id IS NULL OR m.head = coalesce(c.merged_into, c.chat_id))
                )
            ),
            (SELECT count(*) FROM sends AS s JOIN messages AS m USING (key_id) JOIN chats AS c USING (chat_id)
                WHERE m.head = coalesce(c.merged_into, c.chat_id))
        FROM old AS o
        """,
        {"before": before},
    ).fetchone()
    messages, since, in_chats, marks, sends = cast("tuple[int, int | None, int, int, int]", row)
    alone = orphans.look(connection, before)
    return Old(messages, since, in_chats, marks + alone.marks, sends + alone.sends)


def retire(connection: Connection, before: int) -> Iterator[Gone]:
    """Let it go, a transaction at a time; interrupted anywhere, the next call goes on. Raises StoreError.

    Safe beside writers, readers, replays and another one of this.
    """
    last: Place | None = (0, 0, 0)
    while last is not None:
        last, gone = lock_retry.through_locks(lambda last=last: _retire(connection, before, last), PATIENCE)
        yield gone
    for marks, sends in orphans.retire(connection, before):
        yield Gone(0, marks, sends)


def _retire(connection: Connection, before: int, after: Place) -> tuple[Place | None, Gone]:
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
                "chat": after[0],
                "timestamp": after[1],
                "id": after[2],
                "least": -(2**63),
                "limit": BATCH,
            },
        ).fetchall()
        found = cast("Sequence[tuple[int, int, int, int]]", page)
        if not found:
            return None, Gone(0, 0, 0)
        going = _lock(connection, before, sorted({key_id for *_, key_id in found}))
        marks, sends = _delete(connection, going) if going.rows else (0, 0)
    return found[-1][:3], Gone(len(going.rows), marks, sends)


def _lock(connection: Connection, before: int, key_ids: Sequence[int]) -> _Going:
    """What goes of the messages with these ids, found under their locks and those of their chats."""
    orphans.lock(connection, key_ids)
    chats.lock(connection, chats.of_keys(connection, list(key_ids)))
    going = connection.execute(
        """
        SELECT m.id, m.key_id, c.session_id, coalesce(c.merged_into, c.chat_id)
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        WHERE m.key_id = ANY(%(keys)s) AND NOT EXISTS (
            SELECT FROM whatsapp_messages AS o
            JOIN chats AS oc USING (chat_id)
            WHERE o.key_id = m.key_id AND o.timestamp >= %(before)s
                AND coalesce(oc.merged_into, oc.chat_id) = coalesce(c.merged_into, c.chat_id)
        )
        """,
        {"keys": key_ids, "before": before},
    ).fetchall()
    rows = cast("Sequence[tuple[int, int, str, int]]", going)
    return _Going(
        [row_id for row_id, *_ in rows],
        sorted({key_id for _, key_id, _, _ in rows}),
        sorted({(session_id, head) for _, _, session_id, head in rows}),
    )


def _delete(connection: Connection, going: _Going) -> tuple[int, int]:
    """Delete messages and what is said about them, and show their chats without them; how many marks and sends went."""
    rows = {"rows": list(going.rows)}
    connection.execute(
        """
        INSERT INTO retired (key_id, chat_id, direction)
        SELECT m.key_id, m.chat_id, m.direction FROM whatsapp_messages AS m WHERE m.id = ANY(%(rows)s)
        UNION
        -- Something was said of it under another address: addresses part again.
        SELECT k.key_id, k.chat_id, coalesce(k.direction, 'outgoing')
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        CROSS JOIN LATERAL addresses_of(coalesce(c.merged_into, c.chat_id)) AS a
        JOIN marks AS k ON k.key_id = m.key_id AND k.chat_id = a.chat_id
        WHERE m.id = ANY(%(rows)s)
        ON CONFLICT DO NOTHING
        """,
        rows,
    )
    connection.execute("UPDATE keys SET retired = true WHERE key_id = ANY(%s) AND NOT retired", [list(going.keys)])
    marks = connection.execute(
        """
        DELETE FROM marks AS k
        USING whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        WHERE m.id = ANY(%(rows)s) AND k.key_id = m.key_id AND (
            k.chat_id IS NULL
            OR k.chat_id IN (SELECT a.chat_id FROM addresses_of(coalesce(c.merged_into, c.chat_id)) AS a)
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
            AND s.chat_id IN (SELECT a.chat_id FROM addresses_of(coalesce(c.merged_into, c.chat_id)) AS a)
        """,
        rows,
    ).rowcount
    search_index.take_out(connection, going.rows)
    connection.execute("DELETE FROM whatsapp_messages AS m WHERE m.id = ANY(%(rows)s)", rows)
    heads = [head for _, head in going.heads]
    chat_summaries.refresh(connection, dict.fromkeys(heads, 0), recount=heads)
    changes.publish(connection, [Change("merge", session_id, head) for session_id, head in going.heads])
    return marks, sends
