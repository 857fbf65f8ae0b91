"""A streaming replica that answers what only reads, as long as nobody can tell the difference.

It lags behind. So it is asked for nothing before it has replayed all that this process wrote itself or has told
somebody of; it is not asked at all while it lags too far, does not answer, or is no replica of our primary's.
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
"""Seconds that it may lag behind and still be asked."""
_CHECK_INTERVAL = 1.0
"""Seconds between two looks at how far it is."""
_POSITION_TIMEOUT = 3.0
"""Seconds that either server has to say how far it is."""
_QUERY_CANCELED = "57014"
_CATCH_UP_WAITS = (0.0, 0.003, 0.01, 0.02)
"""Seconds that a question waits, in several steps, for what it must not miss; then the primary is asked."""


class ReplicaUnavailableError(Exception):
    """It cannot answer this question now: the primary has to."""


@dataclass(frozen=True, slots=True)
class WalSample:
    """A place in the primary's log, and when it was there, by the monotonic clock."""

    observed_at: float
    epoch: str
    lsn: int


class Replica:
    """Watched from a thread of its own; the reasons why it is not asked are sentences without names."""

    def __init__(self, read_url: str, primary_url: str, *, size: int) -> None:
        self._pool = Pool(read_url, "api reads", size=size, read_only=True)
        self._urls = {"primary": primary_url, "replica": read_url}
        self._monitor_connections: dict[str, Connection] = {}
        self._samples: deque[WalSample] = deque(maxlen=600)
        self._required_lsn = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._monitor, name="replica", daemon=True)
        self.unavailable_reason: str | None = "The replica was not asked yet."
        """Why it is not asked; None while it is."""
        self.served = self.fallbacks = 0
        """Questions that it answered, and that the primary had to."""
        self.lag_seconds: float | None = None
        """By how many seconds it lags at most; None if that is not known."""

    def open(self) -> None:
        self._pool.open()
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._pool.close()

    def require_lsn(self, lsn: str) -> None:
        """Answer nothing from now on that does not know what the primary had written up to there."""
        place = lsn_to_int(lsn)
        with self._lock:
            self._required_lsn = max(self._required_lsn, place)

    def read(self, query: Callable[[Connection], T]) -> T:
        """The answer; raises BehindError where the primary must be asked, and what the question raises."""
        self.fallbacks += 1
        if self.unavailable_reason is not None:
            raise ReplicaUnavailableError
        try:
            answer = self._pool.read(lambda connection: self._read_when_caught_up(connection, query))
        except errors.TransientError as error:
            if error.sqlstate == _QUERY_CANCELED:
                raise  # too much for any server
            if error.sqlstate is None:
                self._mark_unavailable("The replica does not answer.")
            raise ReplicaUnavailableError from error
        self.fallbacks -= 1
        self.served += 1
        return answer

    def _read_when_caught_up(self, connection: Connection, query: Callable[[Connection], T]) -> T:
        needed = self._required_lsn
        for pause in _CATCH_UP_WAITS:
            time.sleep(pause)
            with connections.deadline(connection, _POSITION_TIMEOUT):
                row = connection.execute("SELECT pg_last_wal_replay_lsn()::text WHERE pg_is_in_recovery()").fetchone()
            if row is None:
                self._mark_unavailable("READ_DATABASE_URL leads to no replica.")
                raise ReplicaUnavailableError
            if row[0] is not None and lsn_to_int(str(row[0])) >= needed:
                return query(connection)
        raise ReplicaUnavailableError

    def _mark_unavailable(self, reason: str) -> None:
        if self.unavailable_reason != reason:
            log.warning("%s The primary answers alone.", reason)
        self.unavailable_reason = reason

    def _monitor(self) -> None:
        while not self._stopping.wait(_CHECK_INTERVAL):
            self._sample_primary()
            self._check_replica()
        for connection in self._monitor_connections.values():
            connection.close()

    def _sample_primary(self) -> None:
        """While it is away nothing new is known to lag behind, and its replica goes on answering."""
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
        mark = WalSample(time.monotonic(), str(found[0]), lsn_to_int(str(found[1])))
        with self._lock:
            if self._samples and self._samples[-1].epoch != mark.epoch:
                # Another life of the database, whose log may be shorter than what is remembered of the last.
                self._samples.clear()
                self._required_lsn = mark.lsn
            self._samples.append(mark)

    def _check_replica(self) -> None:
        began = time.monotonic()
        try:
            found = self._fetch_position(
                "replica",
                "SELECT e.epoch::text, pg_last_wal_replay_lsn()::text FROM feed_epoch AS e WHERE pg_is_in_recovery()",
            )
        except errors.TransientError:
            self._mark_unavailable("The replica does not answer.")
            return
        if found is None or found[1] is None:
            self._mark_unavailable("READ_DATABASE_URL leads to no replica.")
            return
        if not self._samples:
            self._mark_unavailable("The primary does not say how far it is.")
            return
        if found[0] != self._samples[-1].epoch:
            # It has not replayed that far, or follows a primary that is none any more.
            self._mark_unavailable("The replica knows nothing of the primary's newest life.")
            return
        self.lag_seconds = self._measure_lag(began, lsn_to_int(str(found[1])))
        if self.lag_seconds > MAX_LAG:
            self._mark_unavailable("The replica lags behind.")
        elif self.unavailable_reason is not None:
            log.info("the replica answers, %.1f s behind", self.lag_seconds)
            self.unavailable_reason = None

    def _measure_lag(self, now: float, replayed_lsn: int) -> float:
        """At most by how many seconds: since the primary was last seen where the replica is by now, or before it."""
        if self._samples[-1].lsn <= replayed_lsn:
            return 0.0
        passed = [mark.observed_at for mark in self._samples if mark.lsn <= replayed_lsn]
        return now - (passed[-1] if passed else self._samples[0].observed_at)

    def _fetch_position(self, server: str, statement: LiteralString) -> tuple[object, ...] | None:
        connection = self._monitor_connections.get(server)
        if connection is None or not connections.is_idle(connection):
            self._monitor_connections.pop(server, None)
            self._monitor_connections[server] = connection = connections.open(
                self._urls[server], f"api looks at {server}"
            )
        with errors.translated(), connections.deadline(connection, _POSITION_TIMEOUT):
            return connection.execute(statement).fetchone()


def lsn_to_int(lsn: str) -> int:
    """A place in PostgreSQL's log as a number."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)
