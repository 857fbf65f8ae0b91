"""Deletes raw bodies that are older than the retention policy allows, and previews the deletion.

Whole months are dropped as partitions, the rest is deleted in batches. Digests and counts remain, so that late copies
still count as duplicates. Each message that loses an event is marked, so that a replay does not treat the remaining
events as all of them.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from store.history.messages import message_keys
from store.ledger import set_aside_events
from store.postgres import errors, lock_retry
from store.postgres.connections import Connection
from store.retention import partition_drop, partitions
from store.retention.partitions import Partition

BATCH_SIZE = 1_000
"""The number of bodies deleted in one transaction."""
MAX_MOVED_BODIES = 5_000
"""The greatest number of remaining bodies for which a partition is dropped. If more remain, it is emptied instead."""


@dataclass(frozen=True, slots=True)
class ExpiredBodies:
    """A preview: the bodies to delete, and the parked ones of the same age that are kept."""

    bodies: int
    size: int
    """In bytes."""
    since: int | None
    """The earliest receipt in ms."""
    parked: int
    """The number of parked events that are kept, because a retry needs their bodies."""
    partitions: tuple[str, ...]
    """The partitions to drop."""


@dataclass(frozen=True, slots=True)
class DeletedBodies:
    bodies: int
    size: int
    dropped_partition: str | None = None
    """The partition that was dropped."""
    busy_partition: str | None = None
    """A partition that could not be locked. It is emptied now, and dropped by the next call."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    received_before: int
    """Delete bodies received before this time in ms."""
    include_parked: bool
    """Also delete the bodies of parked events."""


def preview(connection: Connection, policy: RetentionPolicy) -> ExpiredBodies:
    """Return what `prune` would delete, in the snapshot of the caller's transaction."""
    row = connection.execute(
        """
        SELECT count(*) FILTER (WHERE o.expires), coalesce(sum(o.size) FILTER (WHERE o.expires), 0)::bigint,
            min(o.received_at) FILTER (WHERE o.expires), count(*) FILTER (WHERE NOT o.expires)
        FROM (
            SELECT e.received_at, octet_length(e.body) AS size, %(parked)s OR p.digest IS NULL AS expires
            FROM raw_events AS e
            LEFT JOIN parked_events AS p USING (digest)
            WHERE e.received_at < %(before)s
        ) AS o
        """,
        {"before": policy.received_before, "parked": policy.include_parked},
    ).fetchone()
    bodies, size, since, parked = cast("tuple[int, int, int | None, int]", row)
    return ExpiredBodies(
        bodies, size, since, parked, tuple(partition.name for partition in _droppable_partitions(connection, policy))
    )


def prune(connection: Connection, policy: RetentionPolicy) -> Iterator[DeletedBodies]:
    """Delete expired bodies, one transaction at a time. An interrupted call can be repeated.

    Safe with concurrent writers, readers, replays and calls. Raises StoreError.
    """
    with errors.translated():
        droppable = _droppable_partitions(connection, policy)
    for partition in droppable:
        yield _drop_partition(connection, partition, policy)
    after = 0
    while page := lock_retry.retry_on_lock(lambda after=after: _next_event_ids(connection, policy, after)):
        yield lock_retry.retry_on_lock(lambda page=page: _delete_batch(connection, policy, page))
        after = page[-1]
    lock_retry.retry_on_lock(lambda: _remove_dangling_references(connection))


def _droppable_partitions(connection: Connection, policy: RetentionPolicy) -> list[Partition]:
    """Return the partitions that have expired completely and of which few parked bodies remain."""
    return [
        partition
        for partition in partitions.list_monthly(connection)
        if partition.end_ms <= policy.received_before
        and (policy.include_parked or _count_parked(connection, partition) <= MAX_MOVED_BODIES)
    ]


def _count_parked(connection: Connection, partition: Partition) -> int:
    row = connection.execute(
        """
        SELECT count(*)
        FROM parked_events AS p
        JOIN raw_events AS e USING (event_id, digest)
        WHERE e.received_at >= %(start)s AND e.received_at < %(end)s
        """,
        {"start": partition.start_ms, "end": partition.end_ms},
    ).fetchone()
    assert row is not None, "a count is a row"
    return cast("int", row[0])


def _drop_partition(connection: Connection, partition: Partition, policy: RetentionPolicy) -> DeletedBodies:
    try:
        dropped = partition_drop.drop(connection, partition, include_parked=policy.include_parked)
    except errors.TransientError as error:
        if error.sqlstate not in lock_retry.LOCK_FAILURES:
            raise
        return DeletedBodies(0, 0, busy_partition=partition.name)
    return DeletedBodies(dropped.bodies, dropped.size, dropped_partition=partition.name)


def _next_event_ids(connection: Connection, policy: RetentionPolicy, after: int) -> list[int]:
    rows = connection.execute(
        """
        SELECT e.event_id
        FROM raw_events AS e
        LEFT JOIN parked_events AS p USING (digest)
        WHERE e.received_at < %(before)s AND e.event_id > %(after)s AND (%(parked)s OR p.digest IS NULL)
        ORDER BY e.event_id
        LIMIT %(limit)s
        """,
        {"before": policy.received_before, "after": after, "parked": policy.include_parked, "limit": BATCH_SIZE},
    )
    return [cast("int", event_id) for (event_id,) in rows]


def _delete_batch(connection: Connection, policy: RetentionPolicy, event_ids: Collection[int]) -> DeletedBodies:
    """Delete these events, except those that a replay has linked to other messages or parked in the meantime."""
    with connection.transaction():
        events = connection.execute(
            "SELECT e.event_id, e.key_id FROM raw_events AS e WHERE e.event_id = ANY(%s)", [list(event_ids)]
        ).fetchall()
        locked = message_keys.lock_for_events(connection, cast("Sequence[tuple[int, int | None]]", events))
        message_keys.mark_pruned(connection, locked)
        deleted = connection.execute(
            """
            WITH deleted AS (
                DELETE FROM raw_events AS e
                WHERE e.event_id = ANY(%(events)s) AND e.received_at < %(before)s
                    AND (e.key_id IS NULL OR e.key_id = ANY(%(keys)s))
                    AND NOT EXISTS (
                        SELECT FROM event_keys AS more
                        WHERE more.event_id = e.event_id AND NOT more.key_id = ANY(%(keys)s)
                    )
                    AND (%(parked)s OR NOT EXISTS (SELECT FROM parked_events AS p WHERE p.digest = e.digest))
                RETURNING e.event_id, octet_length(e.body) AS size
            ),
            unlinked AS (DELETE FROM event_keys AS more USING deleted AS g WHERE more.event_id = g.event_id)
            SELECT count(*), coalesce(sum(g.size), 0)::bigint FROM deleted AS g
            """,
            {
                "events": list(event_ids),
                "before": policy.received_before,
                "keys": locked,
                "parked": policy.include_parked,
            },
        ).fetchone()
    return DeletedBodies(*cast("tuple[int, int]", deleted))


def _remove_dangling_references(connection: Connection) -> None:
    """Remove references to bodies that were deleted with partitions or by interrupted calls."""
    connection.execute(
        "DELETE FROM event_keys AS more WHERE NOT EXISTS (SELECT FROM raw_events AS e WHERE e.event_id = more.event_id)"
    )
    set_aside_events.clear_deleted_event_ids(connection)
