"""The partitions of the raw bodies: one a month of receipt, made in time, and one for what no other is for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from psycopg import sql

from store.postgres import advisory_locks, connections, errors
from store.postgres.connections import Connection

MONTHS_AHEAD = 2
"""Months after this one for which there is to be a partition."""
MAX_STRAYS = 20_000
"""So many bodies at most are moved into the partition that they lacked, as readers wait; more stay where they are."""
_MIN_BIGINT, _MAX_BIGINT = -(2**63), 2**63 - 1
_BOUNDS_PATTERN = re.compile(r"FROM \((?:MINVALUE|'?(-?\d+)'?)\) TO \((?:MAXVALUE|'?(-?\d+)'?)\)")


@dataclass(frozen=True, slots=True)
class Partition:
    name: str
    start_ms: int
    """Receipts from here, in ms."""
    end_ms: int
    """Up to here, and without it."""


def list_monthly(connection: Connection) -> list[Partition]:
    """All but the one for the rest, the oldest first."""
    found = connection.execute(
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
            for name, told in cast("Sequence[tuple[str, str]]", found)
            if (bounds := _BOUNDS_PATTERN.search(told))
        ),
        key=lambda partition: partition.start_ms,
    )


def missing(connection: Connection) -> list[Partition]:
    """Those that are to be there for this month and the next ones, and are not."""
    now = connections.server_time(connection)
    wanted = [_for_month(now.year * 12 + now.month - 1 + ahead) for ahead in range(MONTHS_AHEAD + 1)]
    there = list_monthly(connection)
    return [
        month
        for month in wanted
        if not any(one.start_ms < month.end_ms and month.start_ms < one.end_ms for one in there)
    ]


def create_missing(connection: Connection) -> list[str]:
    """Make those that are missing, one in a transaction; returns their names. Any number of processes may do so.

    A month stays without a partition where more than STRAYS of its bodies lie among the rest already: there they are
    read, and pruned by their age, as well. Raises TransientError where a lock is not to be had within a second.
    """
    with errors.translated():
        return [month.name for month in missing(connection) if _create(connection, month)]


def _create(connection: Connection, month: Partition) -> bool:
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '1s'")
        if not advisory_locks.try_acquire(connection, advisory_locks.PARTITIONS):
            return False
        if month not in missing(connection) or not _has_few_strays(connection, month):
            return False
        # In the order in which readers take them. Writers come to the second one with strays only.
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
                    RETURNING e.event_id, e.digest, e.received_at, e.key_id, e.body
                )
                INSERT INTO {} (event_id, digest, received_at, key_id, body)
                SELECT s.event_id, s.digest, s.received_at, s.key_id, s.body FROM strays AS s
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
    """The partition of a month, counted from the year 0."""
    return Partition(
        f"raw_events_{number // 12}_{number % 12 + 1:02}", _month_start_ms(number), _month_start_ms(number + 1)
    )


def _month_start_ms(number: int) -> int:
    return int(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1000
