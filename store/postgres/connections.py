"""Connections to PostgreSQL that cannot hang for ever."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias, cast

import psycopg
from psycopg import conninfo, pq

from store.postgres import errors
from store.postgres.pooler import WATCHDOG, ConnectionProfile, PoolerSafeConnection, describe_failure

Connection: TypeAlias = psycopg.Connection[tuple[object, ...]]

# Every wait has an end, and each is shorter than the 30 s that a job of the worker has: a statement, a lock, a
# transaction that its client forgot, a client that PostgreSQL forgot, a network that swallows packets.
_SESSION_SETTINGS = {
    "statement_timeout": "15s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "20s",
    "client_connection_check_interval": "5s",
    "timezone": "UTC",
}
KEY_LOOKUP_SETTINGS = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
"""Settings for whoever only looks up, by key, what a batch of a few hundred rows names.

Statements are prepared while a new database is small, when reading a whole table looks cheap, and the plan stays while
the table grows. With these, a plan made for ten rows is the right one for ten million.
"""
_NETWORK_PARAMETERS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


class DatabaseUrlError(Exception):
    """Nothing says where PostgreSQL is, or not in a way that can be understood."""


def url(environ: Mapping[str, str]) -> str:
    """DATABASE_URL, else the embedded server of the stack that runs on DATA_DIR; raises NoDatabaseError."""
    if named := environ.get("DATABASE_URL"):
        return _validated("DATABASE_URL", named)
    left_by_run = Path(environ.get("DATA_DIR") or "var") / "database-url"
    try:
        return left_by_run.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise DatabaseUrlError(
            "DATABASE_URL is not set, and no stack is running here: start ./run, or name your server in DATABASE_URL."
        ) from error


def direct_url(environ: Mapping[str, str]) -> str:
    """The URL for what needs a session of its own: DIRECT_DATABASE_URL where a pooler stands in DATABASE_URL.

    Raises NoDatabaseError.
    """
    named = environ.get("DIRECT_DATABASE_URL")
    return _validated("DIRECT_DATABASE_URL", named) if named else url(environ)


def replica_url(environ: Mapping[str, str]) -> str | None:
    """The URL of a replica that readers may be sent to, if there is one; raises NoDatabaseError."""
    named = environ.get("READ_DATABASE_URL")
    return _validated("READ_DATABASE_URL", named) if named else None


def _validated(name: str, value: str) -> str:
    try:
        conninfo.conninfo_to_dict(value)
    except psycopg.ProgrammingError:
        # Not chained: libpq quotes what it does not understand, and there may be a password in it.
        raise DatabaseUrlError(f"{name} must look like postgresql://user:password@host:port/database.") from None
    return value


def startup_options(*, read_only: bool = False, overrides: Mapping[str, str] | None = None) -> str:
    """The settings of a session as libpq's `options`, for whoever connects without us."""
    return build_profile("", read_only=read_only, overrides=overrides).startup_options()


def build_profile(
    database_url: str, *, read_only: bool = False, overrides: Mapping[str, str] | None = None
) -> ConnectionProfile:
    """How a connection gets its settings; `bounds` overrides ours, and the options in the URL override both."""
    settings = {**_SESSION_SETTINGS, **(overrides or {})}
    if read_only:
        settings["default_transaction_read_only"] = "on"
    said = conninfo.conninfo_to_dict(database_url).get("options")
    return ConnectionProfile(settings, str(said or ""))


def parameters(database_url: str, application_name: str, profile: ConnectionProfile) -> dict[str, object]:
    """What a connection or pool of ours is opened with; what the URL itself says goes first."""
    said = conninfo.conninfo_to_dict(database_url)
    said.pop("options", None)  # merged with ours
    if said.get("target_session_attrs") == "read-write" and "default_transaction_read_only" in profile.settings:
        # libpq would take a session that we ourselves forbid to write for one of a standby's.
        said["target_session_attrs"] = "primary"
    ours: dict[str, object] = {**_NETWORK_PARAMETERS, "application_name": application_name, "way": profile}
    return {**ours, **{name: value for name, value in said.items() if value is not None}}


def open(  # noqa: A001 - read as connect.open
    database_url: str, application_name: str, *, overrides: Mapping[str, str] | None = None, dedicated: bool = False
) -> Connection:
    """A connection in autocommit: transactions are begun where they are meant. Raises TransientError.

    `alone`: what is done on it lasts longer than a transaction (a lock, LISTEN, a temporary table), which no pooler
    keeps together.
    """
    manner = build_profile(database_url, overrides=overrides)
    with errors.translated():
        try:
            connection = PoolerSafeConnection.connect(
                **parameters(database_url, application_name, manner),  # pyright: ignore[reportArgumentType] - libpq's parameters, checked by libpq
            )
        except psycopg.OperationalError as error:
            raise errors.TransientError(manner.last_failure or describe_failure(error)) from error
    if dedicated and manner.behind_pooler:
        connection.close()
        raise errors.TransientError(
            "A pooler stands before PostgreSQL, and this needs a session of its own: name PostgreSQL itself in"
            " DIRECT_DATABASE_URL."
        )
    return connection


def is_broken(connection: Connection) -> bool:
    """Whether only a new connection helps."""
    return connection.closed or connection.pgconn.status != pq.ConnStatus.OK


def is_idle(connection: Connection) -> bool:
    """Whether the next statement may be sent: not after a time-out struck in the middle of the last one."""
    return not is_broken(connection) and connection.pgconn.transaction_status == pq.TransactionStatus.IDLE


def server_time(connection: Connection) -> datetime:
    """PostgreSQL's clock, in UTC."""
    with errors.translated():
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None, "one row"
    return cast("datetime", row[0]).astimezone(UTC)


def deadline(connection: Connection, seconds: float) -> AbstractContextManager[None]:
    """Hang up on a server that lets the block wait longer, so that it ends with an error of the connection.

    libpq waits for an answer for ever, and where a proxy or a router keeps the connection up on its own, neither
    keepalives nor tcp_user_timeout notice that nobody is behind it any more.
    """
    return WATCHDOG.watching(connection, seconds)
