"""Opens connections to PostgreSQL. Every wait on them has a limit."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias, cast

import psycopg
from psycopg import conninfo, pq

from store.postgres import errors
from store.postgres.pooler import WATCHDOG, ConnectionProfile, PoolerSafeConnection, describe_failure
from telemetry.errors import SettingsError

Connection: TypeAlias = psycopg.Connection[tuple[object, ...]]

# Limits for statements, locks, idle transactions, lost clients and networks that drop packets. Each of them is shorter
# than the 30 s of a worker's job.
_SESSION_SETTINGS = {
    "statement_timeout": "15s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "20s",
    "client_connection_check_interval": "5s",
    "timezone": "UTC",
}
KEY_LOOKUP_SETTINGS = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
"""Settings for connections that look up a few hundred rows by key.

Statements are prepared while a new database is small and reading a whole table looks cheap, and their plans remain
while the table grows. With these settings, a plan made for ten rows also works for ten million.
"""
_NETWORK_PARAMETERS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


class DatabaseUrlError(SettingsError):
    """The URL of PostgreSQL is missing or malformed."""


def url(environ: Mapping[str, str]) -> str:
    """Return DATABASE_URL, or the URL of the embedded server in DATA_DIR. Raises DatabaseUrlError."""
    if named := environ.get("DATABASE_URL"):
        return _validated("DATABASE_URL", named)
    data_dir = Path(environ.get("DATA_DIR") or "var").absolute()
    try:
        return (data_dir / "database-url").read_text(encoding="utf-8").strip()
    except OSError as error:
        raise DatabaseUrlError(
            f"DATABASE_URL is set neither here nor in .env, and ./run has no database in DATA_DIR ({data_dir}):"
            " start ./run, or set DATABASE_URL to your server."
        ) from error


def direct_url(environ: Mapping[str, str]) -> str:
    """Return the URL for dedicated connections.

    It is DIRECT_DATABASE_URL, which must be set if DATABASE_URL points to a pooler. Raises DatabaseUrlError.
    """
    named = environ.get("DIRECT_DATABASE_URL")
    return _validated("DIRECT_DATABASE_URL", named) if named else url(environ)


def replica_url(environ: Mapping[str, str]) -> str | None:
    """Return READ_DATABASE_URL, the replica for reads, if it is set. Raises DatabaseUrlError."""
    named = environ.get("READ_DATABASE_URL")
    return _validated("READ_DATABASE_URL", named) if named else None


def _validated(name: str, value: str) -> str:
    try:
        conninfo.conninfo_to_dict(value)
        is_ambiguous = _has_bare_delimiter(value)
    except (psycopg.ProgrammingError, UnicodeError):
        is_ambiguous = True
    if is_ambiguous:
        # The error is not chained: libpq quotes the part that it cannot parse, which may contain a password.
        raise DatabaseUrlError(
            f"{name} must look like postgresql://user:password@host:port/database, in which the password's own"
            " @ : / ? # % are written %40 %3A %2F %3F %23 %25."
        )
    return value


def _has_bare_delimiter(value: str) -> bool:
    """Return whether a URL has an unescaped @, / or ?.

    libpq would take it for a delimiter, and part of a password for a host name.
    """
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in {"postgresql", "postgres"}:
        return False  # keywords and values, which libpq has understood
    authority, _, path = rest.partition("/")
    _, _, hosts = authority.rpartition("@")
    ports = [host.rpartition("]")[2].partition(":")[2] for host in hosts.split(",")]
    return authority.count("@") > 1 or "@" in path or "?" in authority or not all(_is_port(port) for port in ports)


def _is_port(text: str) -> bool:
    return not text or (text.isascii() and text.isdecimal() and 0 < int(text) < 1 << 16)


def build_profile(
    database_url: str, *, read_only: bool = False, overrides: Mapping[str, str] | None = None
) -> ConnectionProfile:
    """Return the profile of a connection. `overrides` replace our settings, and options in the URL replace both."""
    settings = {**_SESSION_SETTINGS, **(overrides or {})}
    if read_only:
        settings["default_transaction_read_only"] = "on"
    url_options = conninfo.conninfo_to_dict(database_url).get("options")
    return ConnectionProfile(settings, str(url_options or ""))


def parameters(database_url: str, application_name: str, profile: ConnectionProfile) -> dict[str, object]:
    """Return the parameters for opening a connection or a pool. Parameters in the URL override ours."""
    in_url = conninfo.conninfo_to_dict(database_url)
    in_url.pop("options", None)  # part of the profile
    if in_url.get("target_session_attrs") == "read-write" and "default_transaction_read_only" in profile.settings:
        # Our own read-only setting would make libpq mistake the primary for a standby.
        in_url["target_session_attrs"] = "primary"
    ours: dict[str, object] = {**_NETWORK_PARAMETERS, "application_name": application_name, "profile": profile}
    return {**ours, **{name: value for name, value in in_url.items() if value is not None}}


def open(  # noqa: A001 - read as connections.open
    database_url: str, application_name: str, *, overrides: Mapping[str, str] | None = None, dedicated: bool = False
) -> Connection:
    """Return a connection in autocommit mode. Raises TransientError.

    Set `dedicated` if the connection has state that outlives a transaction (a lock, LISTEN, a temporary table), which a
    pooler does not preserve.
    """
    profile = build_profile(database_url, overrides=overrides)
    with errors.translated():
        try:
            connection = PoolerSafeConnection.connect(
                **parameters(database_url, application_name, profile),  # pyright: ignore[reportArgumentType] - libpq's parameters, checked by libpq
            )
        except psycopg.OperationalError as error:
            raise errors.TransientError(profile.last_failure or describe_failure(error)) from error
    if dedicated and profile.behind_pooler:
        connection.close()
        raise errors.TransientError(
            "DATABASE_URL leads to a pooler, and this needs a dedicated connection: set DIRECT_DATABASE_URL to"
            " PostgreSQL itself."
        )
    return connection


def is_broken(connection: Connection) -> bool:
    """Return True if the connection can no longer be used."""
    return connection.closed or connection.pgconn.status != pq.ConnStatus.OK


def is_idle(connection: Connection) -> bool:
    """Return True if the next statement can be sent. It is False after a timeout during the previous one."""
    return not is_broken(connection) and connection.pgconn.transaction_status == pq.TransactionStatus.IDLE


def server_time(connection: Connection) -> datetime:
    """Return the time of PostgreSQL's clock in UTC."""
    with errors.translated():
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None, "one row"
    return cast("datetime", row[0]).astimezone(UTC)


def deadline(connection: Connection, seconds: float) -> AbstractContextManager[None]:
    """Close the connection if the block takes longer, so that the block ends with a connection error.

    libpq waits for an answer without limit. If a proxy or router keeps the connection open, neither keepalives nor
    tcp_user_timeout notice that the server is gone.
    """
    return WATCHDOG.watching(connection, seconds)
