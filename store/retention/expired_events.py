"""Raw bodies that are older than somebody wants to keep them: how many they are, and how they go.

Whole months go as partitions, the rest in batches. Digests and what was counted stay for good, so a late copy stays a
duplicate; every message that loses a source is marked, so that no replay takes what is left for all there was.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from store.history import message_keys
from store.postgres import errors, lock_retry
from store.postgres.connections import Connection
from store.retention import partition_drop, partitions
from store.retention.partitions import Partition

BATCH_SIZE = 1_000
"""Bodies deleted in one transaction."""
MAX_MOVED_BODIES = 5_000
"""A partition is not dropped but emptied where more of it is to stay."""


@dataclass(frozen=True, slots=True)
class ExpiredBodies:
    """What goes, and what stays although it is as old."""

    bodies: int
    size: int
    """In bytes."""
    since: int | None
    """The first receipt among them, in ms."""
    parked: int
    """Parked events that stay, as nobody could ever replay them without their bodies."""
    partitions: tuple[str, ...]
    """Those that go whole."""


@dataclass(frozen=True, slots=True)
class DeletedBodies:
    bodies: int
    size: int
    dropped_partition: str | None = None
    """The partition that went whole."""
    busy_partition: str | None = None
    """A partition that was being read for so long that it is emptied instead, and dropped the next time."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    received_before: int
    """Received before this, in ms."""
    include_parked: bool
    """Parked events, too."""


def preview(connection: Connection, policy: RetentionPolicy) -> ExpiredBodies:
    """What would go; in the caller's transaction, for a snapshot."""
    row = connection.execute(
        """
        SELECT count(*) FILTER (WHERE o.goes), coalesce(sum(o.size) FILTER (WHERE o.goes), 0)::bigint,
            min(o.received_at) FILTER (WHERE o.goes), count(*) FILTER (WHERE NOT o.goes)
        FROM (
            SELECT e.received_at, octet_length(e.body) AS size, %(parked)s OR p.digest IS NULL AS goes
            FROM raw_events AS e
            LEFT JOIN parked_events AS p USING (digest)
            WHERE e.received_at < %(before)s
        ) AS o
        """,
        {"before": policy.received_before, "parked": policy.include_parked},
    ).fetchone()
    bodies, size, since, parked = cast("tuple[int, int, int | None, int]", row)
    return ExpiredBodies(
        bodies, size, since, parked, tuple(one.name for one in _droppable_partitions(connection, policy))
    )


def prune(connection: Connection, policy: RetentionPolicy) -> Iterator[DeletedBodies]:
    """Delete it, a transaction at a time; interrupted anywhere, the next call goes on. Raises StoreError.

    Safe beside writers, readers, replays and another one of this.
    """
    with errors.translated():
        whole = _droppable_partitions(connection, policy)
    for partition in whole:
        yield _drop_partition(connection, partition, policy)
    after = 0
    while page := lock_retry.retry_on_lock(lambda after=after: _next_event_ids(connection, policy, after)):
        yield lock_retry.retry_on_lock(lambda page=page: _delete_batch(connection, policy, page))
        after = page[-1]
    lock_retry.retry_on_lock(lambda: _remove_dangling_references(connection))


def _droppable_partitions(connection: Connection, policy: RetentionPolicy) -> list[Partition]:
    """The partitions that are old as a whole, and of which little is to stay."""
    return [
        one
        for one in partitions.list_monthly(connection)
        if one.end_ms <= policy.received_before
        and (policy.include_parked or _count_parked(connection, one) <= MAX_MOVED_BODIES)
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
    found = connection.execute(
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
    return [cast("int", event_id) for (event_id,) in found]


def _delete_batch(connection: Connection, policy: RetentionPolicy, event_ids: Collection[int]) -> DeletedBodies:
    """Delete these; but for those that a replay linked to other messages, or parked, since they were found."""
    with connection.transaction():
        told = connection.execute(
            "SELECT e.event_id, e.key_id FROM raw_events AS e WHERE e.event_id = ANY(%s)", [list(event_ids)]
        ).fetchall()
        locked = message_keys.lock_of_events(connection, cast("Sequence[tuple[int, int | None]]", told))
        message_keys.mark_pruned(connection, locked)
        gone = connection.execute(
            """
            WITH gone AS (
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
            unlinked AS (DELETE FROM event_keys AS more USING gone AS g WHERE more.event_id = g.event_id)
            SELECT count(*), coalesce(sum(g.size), 0)::bigint FROM gone AS g
            """,
            {
                "events": list(event_ids),
                "before": policy.received_before,
                "keys": locked,
                "parked": policy.include_parked,
            },
        ).fetchone()
    return DeletedBodies(*cast("tuple[int, int]", gone))


def _remove_dangling_references(connection: Connection) -> None:
    """What refers to bodies that are gone: of partitions, and of runs that were interrupted."""
    connection.execute(
        "DELETE FROM event_keys AS more WHERE NOT EXISTS (SELECT FROM raw_events AS e WHERE e.event_id = more.event_id)"
    )
    connection.execute(
        """
        UPDATE parked_events AS p
        SET event_id = NULL
        WHERE p.event_id IS NOT NULL AND NOT EXISTS (SELECT FROM raw_events AS e WHERE e.event_id = p.event_id)
        """
    )
