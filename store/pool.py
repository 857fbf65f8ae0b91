"""Connections that the threads of one process share."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
from psycopg_pool import ConnectionPool

from store import connect, errors
from store.connect import Connection

T = TypeVar("T")

_WAIT = 2.0
"""Seconds that a caller waits for a connection: whoever asks over HTTP is better told to come back."""
_GIVE_UP = 5.0
"""Seconds after which the pool stops trying to connect by itself; the next caller makes it try at once, so that a
server that is back is not found only when an exponential back-off ends."""

READING = {
    # A page is made by reading an index in its order. For a chat of average size a sort looks as cheap, and PostgreSQL
    # plans one statement for all chats: the chat of a hundred thousand messages would be sorted for every page.
    "enable_sort": "off",
    # A table that was empty when a statement was planned fills up, and the plan stays.
    "enable_seqscan": "off",
}
"""Settings of connections that only read."""


class Pool:
    """Opened connections in autocommit; every failure of PostgreSQL comes out as a store.errors.StoreError."""

    def __init__(self, database_url: str, application: str, *, size: int, read_only: bool) -> None:
        self.size = size
        self._pool = ConnectionPool[Connection](
            kwargs={
                **connect.parameters(database_url, application, options=_options(read_only=read_only)),
                "autocommit": True,
            },
            min_size=1,
            max_size=size,
            open=False,
            timeout=_WAIT,
            reconnect_timeout=_GIVE_UP,
            name=application,
        )

    def open(self) -> None:
        """Return at once: a database that is away now may be there when it is asked."""
        self._pool.open(wait=False)

    def close(self) -> None:
        self._pool.close(timeout=_GIVE_UP)

    @contextmanager
    def connection(self) -> Generator[Connection]:
        """A connection for the block; what is left in a transaction at its end is rolled back."""
        with errors.translated(), self._pool.connection() as connection:
            yield connection

    def ask(self, question: Callable[[Connection], T]) -> T:
        """The answer to a question that only reads: asked again, once, if the connection turns out to be dead."""
        with errors.translated():
            with self._pool.connection() as connection:
                try:
                    return question(connection)
                except psycopg.OperationalError:
                    if not connect.is_broken(connection):
                        raise
            # The server was restarted, so that the others are as dead as this one.
            self._pool.check()
            with self._pool.connection() as connection:
                return question(connection)


def _options(*, read_only: bool) -> str:
    return connect.options(read_only=read_only, bounds=READING if read_only else None)
