"""Connections that the threads of one process share."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from store.postgres import connections, errors
from store.postgres.connections import Connection
from store.postgres.pooler import PoolerSafeConnection

T = TypeVar("T")

_ACQUIRE_TIMEOUT = 2.0
"""Seconds that a caller waits for a connection: whoever asks over HTTP is better told to come back."""
_RECONNECT_TIMEOUT = 5.0
"""Seconds after which the pool stops trying to connect by itself; the next caller makes it try at once, so that a
server that is back is not found only when an exponential back-off ends."""
_QUERY_TIMEOUT = 20.0
"""Seconds that a question or a write may take before the connection is given up: above PostgreSQL's own limit of a
statement, for a server that does not even say that."""

READ_SETTINGS = {
    # A page is made by reading an index in its order. For a chat of average size a sort looks as cheap, and PostgreSQL
    # plans one statement for all chats: the chat of a hundred thousand messages would be sorted for every page.
    "enable_sort": "off",
    # A table that was empty when a statement was planned fills up, and the plan stays.
    "enable_seqscan": "off",
}
"""Settings of connections that only read."""


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """Connections and callers of one moment, and since the beginning how many waited in vain."""

    idle: int
    in_use: int
    waiting: int
    timeouts: int


class Pool:
    """Opened connections in autocommit; every failure of PostgreSQL comes out as a StoreError."""

    def __init__(self, database_url: str, application_name: str, *, size: int, read_only: bool) -> None:
        self.name = application_name
        self.size = size
        self._profile = connections.build_profile(
            database_url, read_only=read_only, overrides=READ_SETTINGS if read_only else None
        )
        self.on_write: Callable[[str], None] | None = None
        """Told after each use of `connection` up to where PostgreSQL's log reaches."""
        self._pool = ConnectionPool[PoolerSafeConnection](
            connection_class=PoolerSafeConnection,
            kwargs=connections.parameters(database_url, application_name, self._profile),
            # What reads is simply asked again; of a write nobody would know whether it got through.
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
        """Why the last connection could not be made, in a sentence; None if it could."""
        return self._profile.last_failure

    @property
    def behind_pooler(self) -> bool:
        """Whether a pooler stands between, as far as is known by now."""
        return self._profile.behind_pooler

    def usage(self) -> PoolUsage:
        """What it is doing now; asking costs nothing."""
        stats = self._pool.get_stats()
        size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
        return PoolUsage(idle, size - idle, stats.get("requests_waiting", 0), stats.get("requests_errors", 0))

    def open(self) -> None:
        """Return at once: a database that is away now may be there when it is asked."""
        self._pool.open(wait=False)

    def close(self) -> None:
        self._pool.close(timeout=_RECONNECT_TIMEOUT)

    @contextmanager
    def connection(self) -> Generator[Connection]:
        """A connection for the block; what is left in a transaction at its end is rolled back."""
        with self._acquire() as connection, connections.deadline(connection, _QUERY_TIMEOUT):
            yield connection
            if self.on_write is not None:
                self.on_write(wal_position(connection))

    def read(self, query: Callable[[Connection], T]) -> T:
        """The answer to a question that only reads: asked again, once, if the connection turns out to be dead."""
        with errors.translated():
            with self._acquire() as connection:
                try:
                    return self._run_query(connection, query)
                except psycopg.OperationalError:
                    if not connections.is_broken(connection):
                        raise
            # The server was restarted, so that the others are as dead as this one.
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
    """Up to where the primary's log reaches: all that anybody can see by now lies before it."""
    row = connection.execute(
        # What is visible is on disk, unless somebody chose that it need not be.
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
    """Raises psycopg.OperationalError for a connection whose server was restarted, or can no longer be reached."""
    with connections.deadline(connection, _ACQUIRE_TIMEOUT):
        connection.execute("")
