"""Provides connections whose settings also apply behind a pooler.

A pooler in transaction mode may run every transaction on another server connection. Settings made at the start of our
connection are missing there, and prepared statements exist on the wrong connection.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from psycopg import pq, sql

from store.postgres.watchdog import Watchdog

WATCHDOG = Watchdog()
_IDENTIFY_TIMEOUT = 5.0
"""The time limit in seconds for the first query of a new connection."""
_OPTIONS_REJECTED = "unsupported startup parameter"
"""PgBouncer's error if it does not support libpq's `options`."""


@dataclass(slots=True)
class ConnectionProfile:
    """The settings for connections of one kind, and what was learned from connecting."""

    settings: Mapping[str, str]
    """The settings of each transaction."""
    url_options: str
    """The options of libpq in the URL, which override ours."""
    behind_pooler: bool = False
    """True if a pooler answered. Its process ids differ from those of PostgreSQL's backends."""
    last_failure: str | None = None
    """The reason why the last attempt failed, as a sentence without names, or None if it succeeded."""

    def startup_options(self) -> str:
        """Return libpq's `options`; behind a pooler, only those of the URL, which the pooler may support."""
        ours = "" if self.behind_pooler else " ".join(f"-c {name}={value}" for name, value in self.settings.items())
        return f"{ours} {self.url_options}".strip()

    def set_local_statements(self) -> sql.Composed:
        """Return the statements for the start of a transaction.

        None of them is a query, so the isolation level can still be set.
        """
        return sql.SQL("; ").join(
            sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(_transaction_setting(name)), sql.Literal(value))
            for name, value in self.settings.items()
        )


class PoolerSafeConnection(psycopg.Connection[tuple[object, ...]]):
    profile: ConnectionProfile = ConnectionProfile({}, "")

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:  # noqa: ANN401 - libpq's parameters and psycopg's
        """Connect with the profile in `profile` and update it. Raises psycopg.OperationalError."""
        profile = kwargs.pop("profile")
        assert isinstance(profile, ConnectionProfile)
        try:
            connection = cls._connect_once(conninfo, profile, kwargs)
        except psycopg.OperationalError as error:
            if profile.behind_pooler or _OPTIONS_REJECTED not in str(error):
                profile.last_failure = describe_failure(error)
                raise
            profile.behind_pooler = True
            connection = cls._connect_once(conninfo, profile, kwargs)
        profile.last_failure = None
        return connection

    @classmethod
    def _connect_once(cls, conninfo: str, profile: ConnectionProfile, kwargs: Mapping[str, Any]) -> Self:
        parameters: dict[str, Any] = {**kwargs, "autocommit": True}
        if options := profile.startup_options():
            parameters["options"] = options
        if profile.behind_pooler:
            parameters["prepare_threshold"] = None
        connection = super().connect(conninfo, **parameters)
        connection.profile = profile
        if not profile.behind_pooler:
            with WATCHDOG.watching(connection, _IDENTIFY_TIMEOUT):
                row = connection.execute("SELECT pg_backend_pid()").fetchone()
            if row != (connection.info.backend_pid,):
                # A pooler accepted our settings and dropped them, as PgBouncer does with parameters that it is told to
                # ignore.
                profile.behind_pooler = True
                connection.prepare_threshold = None
        return connection

    @contextmanager
    def transaction(
        self,
        savepoint_name: str | None = None,
        force_rollback: bool = False,  # noqa: FBT001, FBT002 - psycopg's signature
    ) -> Generator[psycopg.Transaction]:
        """Begin a transaction as psycopg does. Behind a pooler, it starts with our settings."""
        outermost = self.info.transaction_status == pq.TransactionStatus.IDLE
        with super().transaction(savepoint_name, force_rollback) as transaction:
            if outermost and self.profile.behind_pooler:
                super().execute(self.profile.set_local_statements())
            yield transaction

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> psycopg.Cursor[tuple[object, ...]]:  # noqa: ANN401 - psycopg's parameters; callers see a psycopg.Connection
        """Execute a statement as psycopg does, with our settings."""
        with self.settings_applied():
            return super().execute(query, params, **kwargs)

    @contextmanager
    def settings_applied(self) -> Generator[None]:
        """Apply our settings to one statement.

        Behind a pooler, a statement outside a transaction gets a transaction of its own.
        """
        if not self.profile.behind_pooler or self.info.transaction_status != pq.TransactionStatus.IDLE:
            yield
        else:
            with self.transaction():
                yield


def _transaction_setting(name: str) -> str:
    return "transaction_read_only" if name == "default_transaction_read_only" else name


_FAILURE_REASONS = (
    ("password authentication failed", "it rejects the user or password"),
    ("no password supplied", "it requires a password, and the URL has none"),
    ("no pg_hba.conf entry", "its pg_hba.conf does not allow this host, user or a connection without TLS"),
    ("role ", "there is no such user"),
    ("database ", "there is no such database"),
    ("no such database", "there is no such database"),
    ("not permitted to log in", "the user may not log in"),
    ("permission denied for database", "the user may not use this database"),
    ("too many", "it has no free connection"),
    ("remaining connection slots", "it has no free connection"),
    ("session is not read-write", "none of its servers accepts writes"),
    ("session is read-only", "none of its servers accepts writes"),
    ("server does not support SSL", "it does not support TLS"),
    ("certificate", "its certificate is not trusted"),
    ("resolve host", "its host name does not resolve"),
    ("starting up", "it is starting up"),
    ("shutting down", "it is shutting down"),
    ("Connection refused", "connection refused"),
    ("No such file", "connection refused"),
    ("timeout", "it does not answer"),
    (_OPTIONS_REJECTED, "the pooler supports no options, and the URL has some"),
)


def describe_failure(error: psycopg.Error) -> str:
    """Return the reason of a failed connection.

    libpq is not quoted, because its messages contain names or even a password.
    """
    message = str(error)
    for word, reason in _FAILURE_REASONS:
        if word in message and (word not in {"role ", "database "} or "does not exist" in message):
            return f"PostgreSQL cannot be used: {reason}."
    return (
        "PostgreSQL cannot be used: it refuses the connection." if "FATAL" in message else "PostgreSQL cannot be used."
    )
