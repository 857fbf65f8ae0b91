"""What endpoints share: the two pools, and how a question gets to one of them."""

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
from store.reading.message_pages import MessagePage
from store.reading.replica_snapshots import SnapshotTooLargeError

T = TypeVar("T")

_WRITE_POOL_SIZE = 2
"""Read flags and the like are small and rare."""


@dataclass(frozen=True, slots=True)
class Database:
    settings: Settings
    read_pool: Pool
    """PostgreSQL itself refuses writes on these."""
    write_pool: Pool
    replica: Replica | None = None
    """Where `look` asks first."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        writes = Pool(settings.database_url, "api writes", size=_WRITE_POOL_SIZE, read_only=False)
        replica = None
        if settings.replica_url is not None:
            replica = Replica(settings.replica_url, settings.direct_database_url, size=settings.pool_size)
            writes.on_write = replica.require_lsn
        reads = Pool(settings.database_url, "api", size=settings.pool_size, read_only=True)
        return cls(settings, reads, writes, replica)

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
        """The answer to a question that only reads: the primary's, which is the newest there is."""
        return self.read_pool.read(query)

    def read(self, query: Callable[[Connection], T]) -> T:
        """The same, from a replica that has all that this process wrote or told of; from the primary if none has."""
        if self.replica is not None:
            with contextlib.suppress(ReplicaUnavailableError):
                return self.replica.read(query)
        return self.read_pool.read(query)

    def read_page(self, query: Callable[[Connection], MessagePage]) -> MessagePage:
        """The same for a page of a conversation, whose snapshot a replica tells in another way."""
        if self.replica is not None:
            with contextlib.suppress(ReplicaUnavailableError, SnapshotTooLargeError):
                return self.replica.read(
                    lambda connection: replica_snapshots.reconstruct(connection, query(connection))
                )
        return self.read_pool.read(query)

    def read_and_fence(self, query: Callable[[Connection], T]) -> T:
        """The primary's answer, which somebody will be told of: no replica's is older from then on."""
        if self.replica is None:
            return self.read_pool.read(query)

        def both(connection: Connection) -> tuple[T, str]:
            return query(connection), wal_position(connection)

        answer, lsn = self.read_pool.read(both)
        self.replica.require_lsn(lsn)
        return answer


def from_request(request: Request) -> Database:
    """The backend of the application that serves a request."""
    backend: object = request.app.state.backend
    assert isinstance(backend, Database)
    return backend
