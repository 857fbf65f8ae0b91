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
_ANSWER = 5.0
"""Seconds that a new connection has to say who it is."""
_REFUSED = "unsupported startup parameter"
"""What PgBouncer says of libpq's `options`."""


@dataclass(slots=True)
class Way:
    """How connections of one kind come to PostgreSQL, and what was found out about it."""

    settings: Mapping[str, str]
    """What each transaction of theirs runs under."""
    options: str
    """libpq's options that the URL itself names; they outrank ours."""
    pooled: bool = False
    """Whether a pooler answered: it numbers its connections otherwise than PostgreSQL numbers its backends."""
    refused: str | None = None
    """Why the last try failed, in a sentence without names; None if it did not."""

    def as_options(self) -> str:
        """What to connect with: through a pooler only what the URL names, which may be known to it."""
        ours = "" if self.pooled else " ".join(f"-c {name}={value}" for name, value in self.settings.items())
        return f"{ours} {self.options}".strip()

    def as_statements(self) -> sql.Composed:
        """For the beginning of a transaction. None is a query, so that its isolation may still be chosen."""
        return sql.SQL("; ").join(
            sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(_in_transaction(name)), sql.Literal(value))
            for name, value in self.settings.items()
        )


class Session(psycopg.Connection[tuple[object, ...]]):
    way: Way = Way({}, "")

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:  # noqa: ANN401 - libpq's parameters and psycopg's
        """Raises psycopg.OperationalError; `way` takes in what was found out."""
        way = kwargs.pop("way")
        assert isinstance(way, Way)
        try:
            session = cls._connected(conninfo, way, kwargs)
        except psycopg.OperationalError as error:
            if way.pooled or _REFUSED not in str(error):
                way.refused = why(error)
                raise
            way.pooled = True
            session = cls._connected(conninfo, way, kwargs)
        way.refused = None
        return session

    @classmethod
    def _connected(cls, conninfo: str, way: Way, kwargs: Mapping[str, Any]) -> Self:
        wanted: dict[str, Any] = {**kwargs, "autocommit": True}
        if options := way.as_options():
            wanted["options"] = options
        if way.pooled:
            wanted["prepare_threshold"] = None
        session = super().connect(conninfo, **wanted)
        session.way = way
        if not way.pooled:
            with WATCHDOG.watching(session, _ANSWER):
                row = session.execute("SELECT pg_backend_pid()").fetchone()
            if row != (session.info.backend_pid,):
                # It took our settings and dropped them, as PgBouncer does where it was told to ignore them.
                way.pooled = True
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
            if outermost and self.way.pooled:
                super().execute(self.way.as_statements())
            yield transaction

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> psycopg.Cursor[tuple[object, ...]]:  # noqa: ANN401 - psycopg's parameters; callers see a psycopg.Connection
        """psycopg's; through a pooler, what stands outside any transaction gets one of its own, with our settings."""
        if not self.way.pooled or self.info.transaction_status != pq.TransactionStatus.IDLE:
            return super().execute(query, params, **kwargs)
        with self.transaction():
            return super().execute(query, params, **kwargs)


def _in_transaction(name: str) -> str:
    return "transaction_read_only" if name == "default_transaction_read_only" else name


_REASONS = (
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
    (_REFUSED, "the pooler before it takes no options, and the URL has some"),
)


def why(error: psycopg.Error) -> str:
    """Why there is no connection, without quoting: libpq says names, and of a broken URL the password, too."""
    said = str(error)
    for word, reason in _REASONS:
        if word in said and (word not in {"role ", "database "} or "does not exist" in said):
            return f"PostgreSQL cannot be used: {reason}."
    return "PostgreSQL cannot be used: it refuses the connection." if "FATAL" in said else "PostgreSQL cannot be used."
