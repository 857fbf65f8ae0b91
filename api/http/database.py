"""What endpoints share: the two pools, and how a question gets to one of them."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from starlette.requests import Request

from api.settings import Settings
from store.postgres.connections import Connection
from store.postgres.pool import Pool, written
from store.postgres.replica import BehindError, Replica
from store.reading import replica_snapshots
from store.reading.message_pages import Page
from store.reading.replica_snapshots import UnclearError

T = TypeVar("T")

_WRITERS = 2
"""Read flags and the like are small and rare."""


@dataclass(frozen=True, slots=True)
class Backend:
    settings: Settings
    reads: Pool
    """PostgreSQL itself refuses writes on these."""
    writes: Pool
    replica: Replica | None = None
    """Where `look` asks first."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        writes = Pool(settings.database_url, "api writes", size=_WRITERS, read_only=False)
        replica = None
        if settings.read_url is not None:
            replica = Replica(settings.read_url, settings.direct_url, size=settings.connections)
            writes.wrote = replica.need
        reads = Pool(settings.database_url, "api", size=settings.connections, read_only=True)
        return cls(settings, reads, writes, replica)

    def open(self) -> None:
        self.reads.open()
        self.writes.open()
        if self.replica is not None:
            self.replica.open()

    def close(self) -> None:
        self.reads.close()
        self.writes.close()
        if self.replica is not None:
            self.replica.close()

    def ask(self, question: Callable[[Connection], T]) -> T:
        """The answer to a question that only reads: the primary's, which is the newest there is."""
        return self.reads.ask(question)

    def look(self, question: Callable[[Connection], T]) -> T:
        """The same, from a replica that has all that this process wrote or told of; from the primary if none has."""
        if self.replica is not None:
            with contextlib.suppress(BehindError):
                return self.replica.ask(question)
        return self.reads.ask(question)

    def look_at(self, question: Callable[[Connection], Page]) -> Page:
        """The same for a page of a conversation, whose snapshot a replica tells in another way."""
        if self.replica is not None:
            with contextlib.suppress(BehindError, UnclearError):
                return self.replica.ask(lambda connection: replica_snapshots.exact(connection, question(connection)))
        return self.reads.ask(question)

    def tell(self, question: Callable[[Connection], T]) -> T:
        """The primary's answer, which somebody will be told of: no replica's is older from then on."""
        if self.replica is None:
            return self.reads.ask(question)

        def both(connection: Connection) -> tuple[T, str]:
            return question(connection), written(connection)

        answer, lsn = self.reads.ask(both)
        self.replica.need(lsn)
        return answer


def of(request: Request) -> Backend:
    """The backend of the application that serves a request."""
    backend: object = request.app.state.backend
    assert isinstance(backend, Backend)
    return backend
