"""Connections to PostgreSQL that cannot hang for ever."""

import os
import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import psycopg
from psycopg import conninfo, pq

from store import errors

Connection: TypeAlias = psycopg.Connection[tuple[object, ...]]

# Every wait has an end, and each is shorter than the 30 s that a job of the worker has: a statement, a lock, a
# transaction that its client forgot, a client that PostgreSQL forgot, a network that swallows packets.
_BOUNDS = {
    "statement_timeout": "15s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "20s",
    "client_connection_check_interval": "5s",
    "timezone": "UTC",
}
BY_KEY = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
"""Settings for whoever only looks up, by key, what a batch of a few hundred rows names.

Statements are prepared while a new database is small, when reading a whole table looks cheap, and the plan stays while
the table grows. With these, a plan made for ten rows is the right one for ten million.
"""
_NETWORK = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


class NoDatabaseError(Exception):
    """Nothing says where PostgreSQL is."""


def url(environ: Mapping[str, str]) -> str:
    """DATABASE_URL, else the embedded server of the stack that runs on DATA_DIR; raises NoDatabaseError."""
    if named := environ.get("DATABASE_URL"):
        return named
    left_by_run = Path(environ.get("DATA_DIR") or "var") / "database-url"
    try:
        return left_by_run.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NoDatabaseError(
            "DATABASE_URL is not set, and no stack is running here: start ./run, or name your server in DATABASE_URL."
        ) from error


def options(*, read_only: bool = False, bounds: Mapping[str, str] | None = None) -> str:
    """The settings of a session as libpq's `options`; `bounds` overrides ours."""
    settings = {**_BOUNDS, **(bounds or {})}
    if read_only:
        settings["default_transaction_read_only"] = "on"
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def parameters(database_url: str, application: str, **settings: object) -> dict[str, object]:
    """What a connection or pool of ours is opened with; what the URL itself says goes first."""
    said = conninfo.conninfo_to_dict(database_url)
    ours: dict[str, object] = {**_NETWORK, "application_name": application, "options": options(), **settings}
    return {**ours, **{name: value for name, value in said.items() if value is not None}}


def open(database_url: str, application: str, *, bounds: Mapping[str, str] | None = None) -> Connection:  # noqa: A001 - read as connect.open
    """A connection in autocommit: transactions are begun where they are meant. Raises store.errors.TransientError."""
    with errors.translated():
        return psycopg.connect(
            **parameters(database_url, application, options=options(bounds=bounds)),  # pyright: ignore[reportArgumentType] - libpq's parameters, checked by libpq
            autocommit=True,
        )


def is_broken(connection: Connection) -> bool:
    """Whether only a new connection helps."""
    return connection.closed or connection.pgconn.status != pq.ConnStatus.OK


def is_idle(connection: Connection) -> bool:
    """Whether the next statement may be sent: not after a time-out struck in the middle of the last one."""
    return not is_broken(connection) and connection.pgconn.transaction_status == pq.TransactionStatus.IDLE


@contextmanager
def deadline(connection: Connection, seconds: float) -> Generator[None]:
    """Hang up on a server that lets the block wait longer, so that it ends with an error of the connection.

    libpq waits for an answer for ever, and where a proxy or a router keeps the connection up on its own, neither
    keepalives nor tcp_user_timeout notice that nobody is behind it any more.
    """
    timer = threading.Timer(seconds, _hang_up, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(connection: Connection) -> None:
    with suppress(psycopg.OperationalError, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
