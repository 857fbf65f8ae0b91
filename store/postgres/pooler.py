"""A connection whose settings hold whether PostgreSQL itself answers or a pooler that stands before it.

A pooler in transaction mode gives every transaction another server's session: what was set at the start of the
connection is gone, or was never let through, and a prepared statement is known to the wrong session.
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
"""Seconds that a new connection has to say who it is."""
_OPTIONS_REJECTED = "unsupported startup parameter"
"""What PgBouncer says of libpq's `options`."""


@dataclass(slots=True)
class ConnectionProfile:
    """How connections of one kind come to PostgreSQL, and what was found out about it."""

    settings: Mapping[str, str]
    """What each transaction of theirs runs under."""
    url_options: str
    """libpq's options that the URL itself names; they outrank ours."""
    behind_pooler: bool = False
    """Whether a pooler answered: it numbers its connections otherwise than PostgreSQL numbers its backends."""
    last_failure: str | None = None
    """Why the last try failed, in a sentence without names; None if it did not."""

    def startup_options(self) -> str:
        """What to connect with: through a pooler only what the URL names, which may be known to it."""
        ours = "" if self.behind_pooler else " ".join(f"-c {name}={value}" for name, value in self.settings.items())
        return f"{ours} {self.url_options}".strip()

    def set_local_statements(self) -> sql.Composed:
        """For the beginning of a transaction. None is a query, so that its isolation may still be chosen."""
        return sql.SQL("; ").join(
            sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(_transaction_setting(name)), sql.Literal(value))
            for name, value in self.settings.items()
        )


class PoolerSafeConnection(psycopg.Connection[tuple[object, ...]]):
    profile: ConnectionProfile = ConnectionProfile({}, "")

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:  # noqa: ANN401 - libpq's parameters and psycopg's
        """Raises psycopg.OperationalError; `way` takes in what was found out."""
        way = kwargs.pop("way")
        assert isinstance(way, ConnectionProfile)
        try:
            session = cls._connect_once(conninfo, way, kwargs)
        except psycopg.OperationalError as error:
            if way.behind_pooler or _OPTIONS_REJECTED not in str(error):
                way.last_failure = describe_failure(error)
                raise
            way.behind_pooler = True
            session = cls._connect_once(conninfo, way, kwargs)
        way.last_failure = None
        return session

    @classmethod
    def _connect_once(cls, conninfo: str, profile: ConnectionProfile, kwargs: Mapping[str, Any]) -> Self:
        wanted: dict[str, Any] = {**kwargs, "autocommit": True}
        if options := profile.startup_options():
            wanted["options"] = options
        if profile.behind_pooler:
            wanted["prepare_threshold"] = None
        session = super().connect(conninfo, **wanted)
        session.profile = profile
        if not profile.behind_pooler:
            with WATCHDOG.watching(session, _IDENTIFY_TIMEOUT):
                row = session.execute("SELECT pg_backend_pid()").fetchone()
            if row != (session.info.backend_pid,):
                # It took our settings and dropped them, as PgBouncer does where it was told to ignore them.
                profile.behind_pooler = True
                session.prepare_threshold = None
        return session

    @contextmanager
    def transaction(
        self,
        savepoint_name: str | None = None,
        force_rollback: bool = False,  # noqa: FBT001, FBT002 - psycopg's signature
    ) -> Generator[psycopg.Transaction]:
        """psycopg's; through a pooler, our settings are said again at the beginning of each."""
        outermost = self.info.transaction_status == pq.TransactionStatus.IDLE
        with super().transaction(savepoint_name, force_rollback) as transaction:
            if outermost and self.profile.behind_pooler:
                super().execute(self.profile.set_local_statements())
            yield transaction

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> psycopg.Cursor[tuple[object, ...]]:  # noqa: ANN401 - psycopg's parameters; callers see a psycopg.Connection
        """psycopg's; through a pooler, what stands outside any transaction gets one of its own, with our settings."""
        if not self.profile.behind_pooler or self.info.transaction_status != pq.TransactionStatus.IDLE:
            return super().execute(query, params, **kwargs)
        with self.transaction():
            return super().execute(query, params, **kwargs)


def _transaction_setting(name: str) -> str:
    return "transaction_read_only" if name == "default_transaction_read_only" else name


_FAILURE_REASONS = (
    ("password authentication failed", "it does not take the user and password"),
    ("no password supplied", "it wants a password, and there is none"),
    ("no pg_hba.conf entry", "its pg_hba.conf lets nobody in from here, or not as this user or without TLS"),
    ("role ", "there is no such user"),
    ("database ", "there is no such database"),
    ("no such database", "there is no such database"),
    ("not permitted to log in", "the user may not log in"),
    ("permission denied for database", "the user may not use this database"),
    ("too many", "it has no connection left"),
    ("remaining connection slots", "it has no connection left"),
    ("session is not read-write", "none of its servers takes writes"),
    ("session is read-only", "none of its servers takes writes"),
    ("server does not support SSL", "it speaks no TLS"),
    ("certificate", "its certificate is not to be trusted"),
    ("resolve host", "its name leads nowhere"),
    ("starting up", "it is starting"),
    ("shutting down", "it is shutting down"),
    ("Connection refused", "nobody listens there"),
    ("No such file", "nobody listens there"),
    ("timeout", "it does not answer"),
    (_OPTIONS_REJECTED, "the pooler before it takes no options, and the URL has some"),
)


def describe_failure(error: psycopg.Error) -> str:
    """Why there is no connection, without quoting: libpq says names, and of a broken URL the password, too."""
    said = str(error)
    for word, reason in _FAILURE_REASONS:
        if word in said and (word not in {"role ", "database "} or "does not exist" in said):
            return f"PostgreSQL cannot be used: {reason}."
    return "PostgreSQL cannot be used: it refuses the connection." if "FATAL" in said else "PostgreSQL cannot be used."
