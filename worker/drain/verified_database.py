"""Holds a worker's connection to PostgreSQL and allows its use only while it reaches the stream's database."""

from store.feed import timelines
from store.postgres import connections
from store.postgres.connections import Connection
from worker.drain.database_marker import DatabaseMarker

VERIFY_DEADLINE_SECONDS = 5.0
"""The time limit in seconds for PostgreSQL to report its identity."""


class VerifiedDatabase:
    """A connection that lasts as long as the process, or until it breaks."""

    def __init__(self, database_url: str, marker: DatabaseMarker) -> None:
        self._database_url = database_url
        self._marker = marker
        self._connection: Connection | None = None
        self._is_verified = False
        self._is_new = True
        """True until the connection is verified for the first time."""

    @property
    def generation(self) -> str | None:
        """The generation that was verified last. A transaction that names it fails in any other generation."""
        return self._marker.generation

    def connection(self) -> Connection:
        """Return the connection, reopened if it broke, and verified. Raises TransientError and RedisError."""
        connection = self._open()
        if not self._is_verified:
            self.verify()
        return connection

    def verify(self) -> None:
        """Compare the database with the marker in Redis. Raises the errors of DatabaseMarker.verify."""
        connection = self._open()
        self._is_verified = False
        with connections.deadline(connection, VERIFY_DEADLINE_SECONDS):
            self._marker.verify(connection, is_new=self._is_new)
        self._is_verified, self._is_new = True, False

    def require_verification(self) -> None:
        """Require verification before the next use, because a transaction failed, possibly on another database."""
        self._is_verified = False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _open(self) -> Connection:
        if self._connection is not None and not connections.is_idle(self._connection):
            self._connection.close()
            self._connection = None
        if self._connection is None:
            self._connection = connections.open(self._database_url, "worker", overrides=connections.KEY_LOOKUP_SETTINGS)
            self._is_verified, self._is_new = False, True
            timelines.start_epoch_if_changed(self._connection)
        return self._connection
