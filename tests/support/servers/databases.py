"""Lends databases on the tests' server. After a test, a database gets its initial rows back and is lent again."""

import itertools
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql

from dev.embedded.servers import EmbeddedServers
from store.postgres import advisory_locks

DATABASE_NUMBERS = itertools.count(1)
COPY_DATABASE: LiteralString = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
"""Copies files. This takes half the processor time of a copy through the write-ahead log if fsync is off."""
MAX_LOANS = 100
"""The maximum number of loans of one database, because deleted rows stay in its files."""
MAX_BYTES = 2_000_000
"""The maximum size of the tables in bytes. A larger database is dropped."""
SESSION_END_SECONDS = 0.2
"""The time in which the sessions of closed connections and killed processes must end, in seconds."""

_SCHEMA_VERSION: LiteralString = """
SELECT ARRAY[
    (SELECT max(xmin::text) FROM pg_database WHERE datname = current_database()),
    (SELECT count(*) || ' ' || max(s.xmin::text::bigint)
        FROM pg_db_role_setting AS s
        JOIN pg_database AS d ON d.oid = s.setdatabase
        WHERE d.datname = current_database()),
    (SELECT count(*) || ' ' || max(xmin::text::bigint) FROM pg_namespace),
    (SELECT count(*) || ' ' || max(xmin::text::bigint) FROM pg_class WHERE oid >= 16384),
    (SELECT count(*) || ' ' || max(xmin::text::bigint) FROM pg_attribute WHERE attrelid >= 16384),
    (SELECT count(*) || ' ' || max(xmin::text::bigint) FROM pg_constraint WHERE oid >= 16384),
    (SELECT count(*) || ' ' || max(xmin::text::bigint) FROM pg_index WHERE indexrelid >= 16384),
    (SELECT count(*) || ' ' || max(xmin::text::bigint) FROM pg_proc WHERE oid >= 16384),
    (SELECT count(*) || ' ' || max(xmin::text::bigint) FROM pg_trigger WHERE oid >= 16384)
]
"""
"""A value that differs after every change of the schema or settings. PostgreSQL's own objects have lower ids."""
_USED_TABLES: LiteralString = """
SELECT relname, pg_relation_size(oid)
FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
"""
_COUNT_SESSIONS: LiteralString = """
SELECT pg_stat_get_db_numbackends(oid) FROM pg_database WHERE datname = current_database()
"""
_RESTART_SEQUENCES: LiteralString = """
SELECT setval(seqrelid, 1, false) FROM pg_sequence WHERE pg_sequence_last_value(seqrelid) IS NOT NULL
"""


def run_admin(servers: EmbeddedServers, statement: LiteralString, *names: str) -> None:
    """Run the statement in the database postgres, with the names as its identifiers."""
    with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def lend_empty_database(servers: EmbeddedServers) -> Generator[str]:
    """Create a database without tables, yield its name, and drop it."""
    name = f"empty_{next(DATABASE_NUMBERS)}"
    run_admin(servers, "CREATE DATABASE {}", name)
    yield name
    run_admin(servers, "DROP DATABASE {} WITH (FORCE)", name)


@dataclass(slots=True)
class _Database:
    name: str
    schema_version: object
    loans: int = 0


class DatabasePool:
    """Migrated databases, each lent to one test at a time.

    A database is dropped if a test changed more than its rows, left a session in it or made it too large.
    """

    def __init__(
        self, servers: EmbeddedServers, template: str, stop_apis: Callable[[str], None], *, keeps_apis: bool = False
    ) -> None:
        """`stop_apis` stops the APIs on a database, unless the pool keeps them until the database is dropped."""
        self._servers = servers
        self._template = template
        self._stop_apis = stop_apis
        self._keeps_apis = keeps_apis
        self._idle: list[_Database] = []
        self._initial_rows: dict[str, Sequence[str]] = {}

    @contextmanager
    def lend(self) -> Generator[str]:
        """Yield the name of a database with the rows of a new one."""
        database = self._idle.pop() if self._idle else self._create()
        yield database.name
        if not self._keeps_apis:
            self._stop_apis(self._servers.postgres.url_of(database.name))
        database.loans += 1
        if database.loans < MAX_LOANS and self._is_restored(database):
            self._idle.append(database)
        else:
            self._drop(database.name)

    def _create(self) -> _Database:
        name = f"test_{next(DATABASE_NUMBERS)}"
        run_admin(self._servers, COPY_DATABASE, name, self._template)
        with self._connect(name) as connection:
            if not self._initial_rows:
                self._initial_rows = _read_rows(connection)
            return _Database(name, _fetch_value(connection, _SCHEMA_VERSION))

    def _is_restored(self, database: _Database) -> bool:
        """Return whether the database has the schema, rows and sequences of a new one, and no other session."""
        try:
            with self._connect(database.name) as connection:
                if not self._keeps_apis and not _is_alone(connection):
                    return False
                with connection.transaction():
                    return self._restore(connection, database)
        except psycopg.OperationalError:
            return False

    def _restore(self, connection: psycopg.Connection, database: _Database) -> bool:
        """Give the tables their initial rows. Return False if more than the rows differs, or too many rows do."""
        if _fetch_value(connection, _SCHEMA_VERSION) != database.schema_version:
            return False
        # The indexer of a running API must not write changes that it has read before.
        for number in (advisory_locks.SEARCH_INDEX, advisory_locks.BATCH_RUNS):
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [number])
        used_tables = dict[str, int](connection.execute(_USED_TABLES).fetchall())
        if sum(used_tables.values()) > MAX_BYTES:
            return False
        connection.execute(_compose_restore(dict.fromkeys(used_tables, ()) | self._initial_rows))
        return True

    def _drop(self, name: str) -> None:
        # The pools of an API on a dropped database would try to connect until the end of the run.
        self._stop_apis(self._servers.postgres.url_of(name))
        run_admin(self._servers, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(
            self._servers.postgres.url_of(name), autocommit=True, options="-c lock_timeout=2s -c deadlock_timeout=100ms"
        )


def _read_rows(connection: psycopg.Connection) -> dict[str, Sequence[str]]:
    """Return the rows of each table that is not empty, in PostgreSQL's text format."""
    return {
        name: [
            row for (row,) in connection.execute(sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(name)))
        ]
        for name, _ in connection.execute(_USED_TABLES).fetchall()
    }


def _compose_restore(rows: Mapping[str, Sequence[str]]) -> sql.Composed:
    """Return statements that give these tables these rows and restart the sequences."""
    statements: list[sql.Composable] = [sql.SQL("SET LOCAL session_replication_role = replica")]
    for name, initial in rows.items():
        table = sql.Identifier(name)
        statements.append(sql.SQL("DELETE FROM {}").format(table))
        if initial:
            insert = "INSERT INTO {0} SELECT (row::{0}).* FROM unnest({1}::text[]) AS row"
            statements.append(sql.SQL(insert).format(table, initial))
    # A running API must forget the changes that it has in memory.
    new_epoch = sql.SQL("UPDATE feed_epoch SET epoch = gen_random_uuid()")
    return sql.SQL("; ").join([*statements, new_epoch, sql.SQL(_RESTART_SEQUENCES)])


def _is_alone(connection: psycopg.Connection) -> bool:
    """Return whether all other sessions of the database have ended, or end within SESSION_END_SECONDS."""
    deadline = time.monotonic() + SESSION_END_SECONDS
    while _fetch_value(connection, _COUNT_SESSIONS) != 1:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def _fetch_value(connection: psycopg.Connection, query: LiteralString) -> object:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
