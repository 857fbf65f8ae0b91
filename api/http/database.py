"""Runs the queries of endpoints on the primary or on a replica, through connection pools."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from starlette.requests import Request

from api.settings import Settings
from store.postgres.connections import Connection
from store.postgres.pool import Pool, wal_position
from store.postgres.replica import Replica, ReplicaUnavailableError
from store.reading import replica_snapshots
from store.reading.messages.message_pages import MessagePage
from store.reading.replica_snapshots import SnapshotTooLargeError

T = TypeVar("T")

_WRITE_POOL_SIZE = 2
"""Writes, such as read flags, are small and rare."""


@dataclass(frozen=True, slots=True)
class Database:
    """The pools of one process. Every method raises StoreError."""

    settings: Settings
    read_pool: Pool
    """PostgreSQL itself rejects writes on these connections."""
    write_pool: Pool
    replica: Replica | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Create the pools without opening them."""
        write_pool = Pool(settings.database_url, "api writes", size=_WRITE_POOL_SIZE, read_only=False)
        replica = None
        if settings.replica_url is not None:
            replica = Replica(settings.replica_url, settings.direct_database_url, size=settings.pool_size)
            write_pool.on_write = replica.require_lsn
        read_pool = Pool(settings.database_url, "api", size=settings.pool_size, read_only=True)
        return cls(settings, read_pool, write_pool, replica)

    def open(self) -> None:
        self.read_pool.open()
        self.write_pool.open()
        if self.replica is not None:
            self.replica.open()

    def close(self) -> None:
        self.read_pool.close()
        self.write_pool.close()
        if self.replica is not None:
            self.replica.close()

    def read_primary(self, query: Callable[[Connection], T]) -> T:
        """Return the result from the primary, which is always current."""
        return self.read_pool.read(query)

    def read(self, query: Callable[[Connection], T]) -> T:
        """Return the result from the replica if that has all writes and fenced reads of this process.

        Otherwise, return it from the primary.
        """
        if self.replica is not None:
            with contextlib.suppress(ReplicaUnavailableError):
                return self.replica.read(query)
        return self.read_pool.read(query)

    def read_page(self, query: Callable[[Connection], MessagePage]) -> MessagePage:
        """Return a page of a conversation like `read`. The snapshot of a page from the replica is reconstructed."""
        if self.replica is not None:
            with contextlib.suppress(ReplicaUnavailableError, SnapshotTooLargeError):
                return self.replica.read(lambda replica: replica_snapshots.reconstruct(replica, query(replica)))
        return self.read_pool.read(query)

    def write(self, statement: Callable[[Connection], T]) -> T:
        """Return the result of a function that writes to the primary."""
        with self.write_pool.connection() as connection:
            return statement(connection)

    def read_and_fence(self, query: Callable[[Connection], T]) -> T:
        """Return the result from the primary, and use the replica only once it has reached the same state.

        A client that is notified of the result therefore never reads an older state.
        """
        if self.replica is None:
            return self.read_pool.read(query)

        def query_and_position(connection: Connection) -> tuple[T, str]:
            return query(connection), wal_position(connection)

        result, lsn = self.read_pool.read(query_and_position)
        self.replica.require_lsn(lsn)
        return result


def from_request(request: Request) -> Database:
    """Return the database of the application that serves the request."""
    database: Database = request.app.state.database
    return database
