"""Creates the monthly partitions of raw bodies in advance. The default partition takes bodies of other months."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from psycopg import sql

from store.postgres import advisory_locks, connections, errors
from store.postgres.connections import Connection

MONTHS_AHEAD = 2
"""The number of future months that have partitions."""
MAX_STRAYS = 20_000
"""The greatest number of bodies that are moved from the default partition into a new one, because readers wait
meanwhile.
"""
_MIN_BIGINT, _MAX_BIGINT = -(2**63), 2**63 - 1
_BOUNDS_PATTERN = re.compile(r"FROM \((?:MINVALUE|'?(-?\d+)'?)\) TO \((?:MAXVALUE|'?(-?\d+)'?)\)")


@dataclass(frozen=True, slots=True)
class Partition:
    name: str
    start_ms: int
    """The start of the month in ms."""
    end_ms: int
    """The end of the month in ms, exclusive."""


def list_monthly(connection: Connection) -> list[Partition]:
    """Return the monthly partitions, oldest first, without the default one."""
    rows = connection.execute(
        """
        SELECT c.relname, pg_get_expr(c.relpartbound, c.oid)
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'raw_events'::regclass
        """
    ).fetchall()
    return sorted(
        (
            Partition(name, int(bounds[1] or _MIN_BIGINT), int(bounds[2] or _MAX_BIGINT))
            for name, expression in cast("Sequence[tuple[str, str]]", rows)
            if (bounds := _BOUNDS_PATTERN.search(expression))
        ),
        key=lambda partition: partition.start_ms,
    )


def missing(connection: Connection) -> list[Partition]:
    """Return the partitions of this month and the next ones that do not exist."""
    now = connections.server_time(connection)
    wanted = [_for_month(now.year * 12 + now.month - 1 + ahead) for ahead in range(MONTHS_AHEAD + 1)]
    existing = list_monthly(connection)
    return [
        month
        for month in wanted
        if not any(partition.start_ms < month.end_ms and month.start_ms < partition.end_ms for partition in existing)
    ]


def create_missing(connection: Connection) -> list[str]:
    """Create the missing partitions, each in its own transaction, and return their names.

    Several processes may call this at once. A month gets no partition if the default partition contains more than
    MAX_STRAYS of its bodies; they are read and pruned there. Raises TransientError if a lock is not granted within a
    second.
    """
    with errors.translated():
        return [month.name for month in missing(connection) if _try_create(connection, month)]


def _try_create(connection: Connection, month: Partition) -> bool:
    """Create the partition. Return False if another process creates partitions, it exists, or has too many strays."""
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '1s'")
        if not advisory_locks.try_acquire(connection, advisory_locks.PARTITIONS):
            return False
        if month not in missing(connection) or not _has_few_strays(connection, month):
            return False
        # Take the locks in the order of readers. Writers need the second lock only for bodies of other months.
        connection.execute("LOCK TABLE ONLY raw_events IN SHARE UPDATE EXCLUSIVE MODE")
        connection.execute("LOCK TABLE ONLY raw_events_default IN ACCESS EXCLUSIVE MODE")
        if not _has_few_strays(connection, month):
            return False
        name = sql.Identifier(month.name)
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE raw_events, PRIMARY KEY (event_id))").format(name))
        connection.execute(
            sql.SQL("CREATE INDEX {} ON {} (key_id) WHERE key_id IS NOT NULL").format(
                sql.Identifier(f"{month.name}_by_key"), name
            )
        )
        connection.execute(
            sql.SQL(
                """
                WITH strays AS (
                    DELETE FROM raw_events_default AS e
                    WHERE e.received_at >= %(start)s AND e.received_at < %(end)s
                    RETURNING e.event_id, e.digest, e.received_at, e.key_id, e.body, e.sender
                )
                INSERT INTO {} (event_id, digest, received_at, key_id, body, sender)
                SELECT s.event_id, s.digest, s.received_at, s.key_id, s.body, s.sender FROM strays AS s
                """
            ).format(name),
            {"start": month.start_ms, "end": month.end_ms},
        )
        connection.execute(
            sql.SQL("ALTER TABLE raw_events ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                name, sql.Literal(month.start_ms), sql.Literal(month.end_ms)
            )
        )
    return True


def _has_few_strays(connection: Connection, month: Partition) -> bool:
    counted = connection.execute(
        """
        SELECT count(*)
        FROM (
            SELECT FROM raw_events_default AS e WHERE e.received_at >= %(start)s AND e.received_at < %(end)s
                LIMIT %(most)s
        ) AS strays
        """,
        {"start": month.start_ms, "end": month.end_ms, "most": MAX_STRAYS + 1},
    ).fetchone()
    return counted is not None and cast("int", counted[0]) <= MAX_STRAYS


def _for_month(number: int) -> Partition:
    """Return the partition of a month, numbered from the year 0."""
    return Partition(
        f"raw_events_{number // 12}_{number % 12 + 1:02}", _month_start_ms(number), _month_start_ms(number + 1)
    )


def _month_start_ms(number: int) -> int:
    return int(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1000
