"""Drops a partition of raw bodies, after marking the messages that lose an event and moving parked bodies out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from psycopg import sql

from store.history.messages import message_keys
from store.postgres import lock_retry
from store.postgres.connections import Connection
from store.retention import partitions
from store.retention.partitions import Partition

PAGE_SIZE = 5_000
"""The number of bodies whose messages are marked in one transaction."""


@dataclass(frozen=True, slots=True)
class DroppedPartition:
    bodies: int
    size: int
    """In bytes."""


def drop(connection: Connection, partition: Partition, *, include_parked: bool) -> DroppedPartition:
    """Drop the partition. Unless `include_parked` is set, keep the bodies of parked events.

    The messages of bodies that arrive in the meantime are marked as well. Raises StoreError, after which the call can
    be repeated.
    """
    while True:
        after: int | None = 0
        while after is not None:
            after = lock_retry.retry_on_lock(lambda after=after: _mark_next_page(connection, partition, after))
        dropped = lock_retry.retry_on_lock(
            lambda: _drop_if_marked(connection, partition, include_parked=include_parked)
        )
        if dropped is not None:
            return dropped


def _mark_next_page(connection: Connection, partition: Partition, after: int) -> int | None:
    """Mark the messages of the next bodies. Return the last event_id, or None at the end."""
    with connection.transaction():
        page = connection.execute(
            """
            SELECT e.event_id, e.key_id
            FROM raw_events AS e
            WHERE e.received_at >= %(start)s AND e.received_at < %(end)s AND e.event_id > %(after)s
            ORDER BY e.event_id
            LIMIT %(limit)s
            """,
            {"start": partition.start_ms, "end": partition.end_ms, "after": after, "limit": PAGE_SIZE},
        ).fetchall()
        events = cast("Sequence[tuple[int, int | None]]", page)
        message_keys.mark_pruned(connection, message_keys.lock_for_events(connection, events, only_unpruned=True))
    return events[-1][0] if events else None


def _drop_if_marked(connection: Connection, partition: Partition, *, include_parked: bool) -> DroppedPartition | None:
    """Move parked bodies out and drop the partition.

    Return None if bodies have arrived whose messages are not marked as pruned.
    """
    name = sql.Identifier(partition.name)
    within = {"start": partition.start_ms, "end": partition.end_ms, "parked": include_parked}
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '1s'")
        if partition not in partitions.list_monthly(connection):
            return DroppedPartition(0, 0)
        connection.execute(sql.SQL("LOCK TABLE ONLY {} IN SHARE MODE").format(name))
        unmarked = connection.execute(
            """
            SELECT EXISTS (
                SELECT FROM raw_events AS e
                JOIN message_keys AS k USING (key_id)
                WHERE e.received_at >= %(start)s AND e.received_at < %(end)s AND NOT k.has_pruned_sources
            ) OR EXISTS (
                SELECT FROM event_keys AS more
                JOIN message_keys AS k USING (key_id)
                JOIN raw_events AS e USING (event_id)
                WHERE e.received_at >= %(start)s AND e.received_at < %(end)s AND NOT k.has_pruned_sources
            )
            """,
            within,
        ).fetchone()
        if unmarked == (True,):
            return None
        counted = connection.execute(
            """
            SELECT count(*), coalesce(sum(octet_length(e.body)), 0)::bigint
            FROM raw_events AS e
            LEFT JOIN parked_events AS p USING (digest)
            WHERE e.received_at >= %(start)s AND e.received_at < %(end)s AND (%(parked)s OR p.digest IS NULL)
            """,
            within,
        ).fetchone()
        connection.execute("LOCK TABLE ONLY raw_events IN ACCESS EXCLUSIVE MODE")
        connection.execute(sql.SQL("ALTER TABLE raw_events DETACH PARTITION {}").format(name))
        if not include_parked:
            connection.execute(
                sql.SQL(
                    """
                    INSERT INTO raw_events (event_id, digest, received_at, key_id, body, sender)
                    SELECT e.event_id, e.digest, e.received_at, e.key_id, e.body, e.sender
                    FROM {} AS e
                    JOIN parked_events AS p USING (digest)
                    """
                ).format(name)
            )
        connection.execute(sql.SQL("DROP TABLE {}").format(name))
    return DroppedPartition(*cast("tuple[int, int]", counted))
