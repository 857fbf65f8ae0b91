"""What endpoints share: the two pools, and how a question gets to one of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from starlette.requests import Request

from api.settings import Settings
from store.connect import Connection
from store.pool import Pool

T = TypeVar("T")

_WRITERS = 2
"""Read flags and the like are small and rare."""


@dataclass(frozen=True, slots=True)
class Backend:
    settings: Settings
    reads: Pool
    """PostgreSQL itself refuses writes on these."""
    writes: Pool

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            settings,
            Pool(settings.database_url, "api", size=settings.connections, read_only=True),
            Pool(settings.database_url, "api writes", size=_WRITERS, read_only=False),
        )

    def open(self) -> None:
        self.reads.open()
        self.writes.open()

    def close(self) -> None:
        self.reads.close()
        self.writes.close()

    def ask(self, question: Callable[[Connection], T]) -> T:
        """The answer to a question that only reads."""
        return self.reads.ask(question)


def of(request: Request) -> Backend:
    """The backend of the application that serves a request."""
    backend: object = request.app.state.backend
    assert isinstance(backend, Backend)
    return backend
