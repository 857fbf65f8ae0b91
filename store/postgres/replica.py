"""Reads from a streaming replica as long as its answers match those of the primary.

A query runs on the replica once the replica has replayed everything that this process wrote or showed to a client. It
runs on the primary if the replica lags too far, does not answer, or belongs to another primary.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import LiteralString, TypeVar

from store.postgres import connections, errors
from store.postgres.connections import Connection
from store.postgres.pool import Pool

T = TypeVar("T")

log = logging.getLogger(__name__)

MAX_LAG = 10.0
"""The lag in seconds above which the replica is not used."""
_CHECK_INTERVAL = 1.0
"""The time between two checks of its position, in seconds."""
_POSITION_TIMEOUT = 3.0
"""The time limit for a query for a WAL position, in seconds."""
_QUERY_CANCELED = "57014"
_CATCH_UP_WAITS = (0.0, 0.003, 0.01, 0.02)
"""The times in seconds that a query waits in turn for the replica to catch up, before the primary answers."""


class ReplicaUnavailableError(Exception):
    """The replica cannot answer now; use the primary."""


@dataclass(frozen=True, slots=True)
class WalSample:
    """A WAL position of the primary, and the time on the monotonic clock at which it was read."""

    observed_at: float
    epoch: str
    lsn: int


class Replica:
    """A pool of connections to the replica, and a thread that checks its lag."""

    def __init__(self, read_url: str, primary_url: str, *, size: int) -> None:
        self._pool = Pool(read_url, "api reads", size=size, read_only=True)
        self._urls = {"primary": primary_url, "replica": read_url}
        self._monitor_connections: dict[str, Connection] = {}
        self._samples: deque[WalSample] = deque(maxlen=600)
        self._required_lsn = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._monitor, name="replica", daemon=True)
        self.unavailable_reason: str | None = "The replica has not been checked yet."
        """The reason why it is not used, a sentence without names; None while it is used."""
        self.served = self.fallbacks = 0
        """Queries that the replica answered, and queries that the primary answered instead."""
        self.lag_seconds: float | None = None
        """The upper bound of its lag, in seconds; None if unknown."""

    def open(self) -> None:
        self._pool.open()
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._pool.close()

    def require_lsn(self, lsn: str) -> None:
        """From now on, let the replica answer only after it has replayed up to this position."""
        position = lsn_to_int(lsn)
        with self._lock:
            self._required_lsn = max(self._required_lsn, position)

    def read(self, query: Callable[[Connection], T]) -> T:
        """Return the result of the query.

        Raises ReplicaUnavailableError if the primary must answer, and the query's own errors.
        """
        self.fallbacks += 1
        if self.unavailable_reason is not None:
            raise ReplicaUnavailableError
        try:
            result = self._pool.read(lambda connection: self._read_when_caught_up(connection, query))
        except errors.TransientError as error:
            if error.sqlstate == _QUERY_CANCELED:
                raise  # the query is too slow for any server
            if error.sqlstate is None:
                self._mark_unavailable("The replica does not answer.")
            raise ReplicaUnavailableError from error
        self.fallbacks -= 1
        self.served += 1
        return result

    def _read_when_caught_up(self, connection: Connection, query: Callable[[Connection], T]) -> T:
        needed = self._required_lsn
        for pause in _CATCH_UP_WAITS:
            time.sleep(pause)
            with connections.deadline(connection, _POSITION_TIMEOUT):
                row = connection.execute("SELECT pg_last_wal_replay_lsn()::text WHERE pg_is_in_recovery()").fetchone()
            if row is None:
                self._mark_unavailable("READ_DATABASE_URL is not a replica.")
                raise ReplicaUnavailableError
            if row[0] is not None and lsn_to_int(str(row[0])) >= needed:
                return query(connection)
        raise ReplicaUnavailableError

    def _mark_unavailable(self, reason: str) -> None:
        if self.unavailable_reason != reason:
            log.warning("reading from the primary only: %s", reason)
        self.unavailable_reason = reason

    def _monitor(self) -> None:
        while not self._stopping.wait(_CHECK_INTERVAL):
            self._sample_primary()
            self._update_availability()
        for connection in self._monitor_connections.values():
            connection.close()

    def _sample_primary(self) -> None:
        """Record the primary's position.

        While the primary is down, nothing new can lag behind, so the replica stays in use.
        """
        try:
            found = self._fetch_position(
                "primary",
                "SELECT e.epoch::text, pg_current_wal_flush_lsn()::text FROM feed_epoch AS e "
                "WHERE NOT pg_is_in_recovery()",
            )
        except errors.TransientError:
            return
        if found is None:
            return
        sample = WalSample(time.monotonic(), str(found[0]), lsn_to_int(str(found[1])))
        with self._lock:
            if self._samples and self._samples[-1].epoch != sample.epoch:
                # Another epoch may be on another timeline, whose positions may be lower than those before.
                self._samples.clear()
                self._required_lsn = sample.lsn
            self._samples.append(sample)

    def _update_availability(self) -> None:
        """Measure the replica's lag, and decide whether the replica is used."""
        started_at = time.monotonic()
        try:
            found = self._fetch_position(
                "replica",
                "SELECT e.epoch::text, pg_last_wal_replay_lsn()::text FROM feed_epoch AS e WHERE pg_is_in_recovery()",
            )
        except errors.TransientError:
            self._mark_unavailable("The replica does not answer.")
            return
        if found is None or found[1] is None:
            self._mark_unavailable("READ_DATABASE_URL is not a replica.")
            return
        if not self._samples:
            self._mark_unavailable("The primary's WAL position is unknown.")
            return
        if found[0] != self._samples[-1].epoch:
            # The replica has not replayed the promotion yet, or follows the former primary.
            self._mark_unavailable("The replica has not replayed the primary's current timeline.")
            return
        self.lag_seconds = self._measure_lag(started_at, lsn_to_int(str(found[1])))
        if self.lag_seconds > MAX_LAG:
            self._mark_unavailable("The replica lags behind.")
        elif self.unavailable_reason is not None:
            log.info("replica in use, lag %.1f s", self.lag_seconds)
            self.unavailable_reason = None

    def _measure_lag(self, now: float, replayed_lsn: int) -> float:
        """Return the upper bound of the lag: the time since the primary was last seen at or before that position."""
        if self._samples[-1].lsn <= replayed_lsn:
            return 0.0
        reached = [sample.observed_at for sample in self._samples if sample.lsn <= replayed_lsn]
        return now - (reached[-1] if reached else self._samples[0].observed_at)

    def _fetch_position(self, server: str, statement: LiteralString) -> tuple[object, ...] | None:
        connection = self._monitor_connections.get(server)
        if connection is None or not connections.is_idle(connection):
            self._monitor_connections.pop(server, None)
            self._monitor_connections[server] = connection = connections.open(
                self._urls[server], f"api replica monitor ({server})"
            )
        with errors.translated(), connections.deadline(connection, _POSITION_TIMEOUT):
            return connection.execute(statement).fetchone()


def lsn_to_int(lsn: str) -> int:
    """Return a WAL position as a number of bytes."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)
