"""Provides a pool of connections that the threads of one process share."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import LiteralString, TypeVar

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from store.postgres import connections, errors
from store.postgres.connections import Connection
from store.postgres.pooler import PoolerSafeConnection

T = TypeVar("T")

_ACQUIRE_TIMEOUT = 2.0
"""The time in seconds that a caller waits for a connection. After that, an HTTP client should retry."""
_RECONNECT_TIMEOUT = 5.0
"""The time in seconds after which the pool stops reconnecting by itself. The next caller then makes it connect at once,
so a server that is back is found before an exponential back-off would end.
"""
_QUERY_TIMEOUT = 20.0
"""The time in seconds after which a connection is given up. It is longer than statement_timeout, for servers that do
not answer at all.
"""

READ_SETTINGS = {
    # A page reads an index in its order. For a chat of average size, a sort looks as cheap, and one plan serves all
    # chats, so a chat of a hundred thousand messages would be sorted for every page.
    "enable_sort": "off",
    # The plan of a statement remains while a table that was empty grows.
    "enable_seqscan": "off",
    # A page is planned once per connection, because planning it takes as long as reading it.
    "plan_cache_mode": "force_generic_plan",
    # Such a plan does not know how small a page is, and would start a process for it or compile it.
    "parallel_setup_cost": "1000000",
    "jit": "off",
}
"""The settings of read-only connections."""
PLAN_FOR_VALUES: LiteralString = "set_config('plan_cache_mode', 'auto', true)"
"""Selected at the start of a transaction whose plans depend on the values, such as the frequency of a searched word."""
SORT: LiteralString = "set_config('enable_sort', 'on', true)"
"""Selected at the start of a transaction whose rows come in no order."""
SORT_AND_SCAN: LiteralString = f"{SORT}, set_config('enable_seqscan', 'on', true)"
"""Selected at the start of a transaction that aggregates a large part of the messages."""


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """The current number of connections and waiting callers, and the total number of callers that timed out."""

    idle: int
    in_use: int
    waiting: int
    timeouts: int


class Pool:
    """A pool of connections in autocommit mode. Every failure of PostgreSQL is raised as a StoreError."""

    def __init__(self, database_url: str, application_name: str, *, size: int, read_only: bool) -> None:
        self.name = application_name
        self.size = size
        self._profile = connections.build_profile(
            database_url, read_only=read_only, overrides=READ_SETTINGS if read_only else None
        )
        self.on_write: Callable[[str], None] | None = None
        """Called after each use of `connection` with the WAL position up to which others may see its writes."""
        self._pool = ConnectionPool[PoolerSafeConnection](
            connection_class=PoolerSafeConnection,
            kwargs=connections.parameters(database_url, application_name, self._profile),
            # A failed read is repeated. A failed write is not repeated, because it may have been committed. Its
            # connection is checked before.
            check=None if read_only else _check_alive,
            min_size=1,
            max_size=size,
            open=False,
            timeout=_ACQUIRE_TIMEOUT,
            reconnect_timeout=_RECONNECT_TIMEOUT,
            name=application_name,
        )

    @property
    def last_failure(self) -> str | None:
        """The reason why the last attempt to connect failed, as a sentence, or None if it succeeded."""
        return self._profile.last_failure

    @property
    def behind_pooler(self) -> bool:
        """True if a pooler was detected between this process and PostgreSQL."""
        return self._profile.behind_pooler

    def usage(self) -> PoolUsage:
        """Return the current usage without a query."""
        stats = self._pool.get_stats()
        size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
        return PoolUsage(idle, size - idle, stats.get("requests_waiting", 0), stats.get("requests_errors", 0))

    def open(self) -> None:
        """Start connecting and return at once. The database may come up as late as the first query."""
        self._pool.open(wait=False)

    def close(self) -> None:
        self._pool.close(timeout=_RECONNECT_TIMEOUT)

    @contextmanager
    def connection(self) -> Generator[Connection]:
        """Provide a connection for the block. A transaction that is still open at the end is rolled back."""
        with self._acquire() as connection, connections.deadline(connection, _QUERY_TIMEOUT):
            yield connection
            if self.on_write is not None:
                self.on_write(wal_position(connection))

    def read(self, query: Callable[[Connection], T]) -> T:
        """Return the result of a read-only query. It is repeated once if the connection proves to be dead."""
        with errors.translated():
            with self._acquire() as connection:
                try:
                    return self._run_query(connection, query)
                except psycopg.OperationalError:
                    if not connections.is_broken(connection):
                        raise
            # The server was restarted, so the other connections are dead, too.
            self._pool.drain()
            with self._acquire() as connection:
                return self._run_query(connection, query)

    @contextmanager
    def _acquire(self) -> Generator[Connection]:
        with errors.translated():
            try:
                with self._pool.connection() as connection:
                    yield connection
            except PoolTimeout as error:
                raise errors.TransientError(
                    self._profile.last_failure or "PostgreSQL: no connection is free."
                ) from error

    def _run_query(self, connection: Connection, query: Callable[[Connection], T]) -> T:
        with connections.deadline(connection, _QUERY_TIMEOUT):
            return query(connection)


def wal_position(connection: Connection) -> str:
    """Return the WAL position of the primary. Everything that is visible now lies before it."""
    row = connection.execute(
        # Visible changes are flushed, unless synchronous_commit is off.
        """
        SELECT CASE current_setting('synchronous_commit')
            WHEN 'off' THEN pg_current_wal_insert_lsn()
            ELSE pg_current_wal_flush_lsn()
        END::text
        """
    ).fetchone()
    assert row is not None, "a SELECT without FROM is a row"
    return str(row[0])


def _check_alive(connection: PoolerSafeConnection) -> None:
    """Raise psycopg.OperationalError if the server was restarted or cannot be reached."""
    with connections.deadline(connection, _ACQUIRE_TIMEOUT):
        connection.execute("")
