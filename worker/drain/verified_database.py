"""One worker's connection to PostgreSQL, used only while the database is the one that has the stream's events."""

from store.feed import timelines
from store.postgres import connections
from store.postgres.connections import Connection
from worker.drain.database_marker import DatabaseMarker

VERIFY_DEADLINE_SECONDS = 5.0
"""Seconds that PostgreSQL has to tell which database it is."""


class VerifiedDatabase:
    """The connection lasts as long as the process, or until it breaks."""

    def __init__(self, database_url: str, marker: DatabaseMarker) -> None:
        self._database_url = database_url
        self._marker = marker
        self._connection: Connection | None = None
        self._is_verified = False
        self._is_new = True
        """Whether the connection was not verified yet."""

    @property
    def generation(self) -> str | None:
        """The generation that was verified last; a transaction that names it fails in any other."""
        return self._marker.generation

    def connection(self) -> Connection:
        """The connection, reopened if it broke, and verified; raises TransientError and RedisError."""
        connection = self._open()
        if not self._is_verified:
            self.verify()
        return connection

    def verify(self) -> None:
        """Compare the database with the marker in Redis; raises as DatabaseMarker.verify does."""
        connection = self._open()
        self._is_verified = False
        with connections.deadline(connection, VERIFY_DEADLINE_SECONDS):
            self._marker.verify(connection, is_new=self._is_new)
        self._is_verified, self._is_new = True, False

    def doubt(self) -> None:
        """Verify before the next use: a transaction failed, and the reason may be another database."""
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
            timelines.check(self._connection)
        return self._connection
