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

LAG = 10.0
"""Seconds that it may lag behind and still be asked."""
_LOOK = 1.0
"""Seconds between two looks at how far it is."""
_ANSWER = 3.0
"""Seconds that either server has to say how far it is."""
_CANCELED = "57014"
_STEPS = (0.0, 0.003, 0.01, 0.02)
"""Seconds that a question waits, in several steps, for what it must not miss; then the primary is asked."""


class BehindError(Exception):
    """It cannot answer this question now: the primary has to."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the primary's log, and when it was there, by the monotonic clock."""

    at: float
    epoch: str
    lsn: int


class Replica:
    """Watched from a thread of its own; the reasons why it is not asked are sentences without names."""

    def __init__(self, read_url: str, primary_url: str, *, size: int) -> None:
        self._pool = Pool(read_url, "api reads", size=size, read_only=True)
        self._urls = {"primary": primary_url, "replica": read_url}
        self._open: dict[str, Connection] = {}
        self._marks: deque[Mark] = deque(maxlen=600)
        self._needed = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="replica", daemon=True)
        self.reason: str | None = "The replica was not asked yet."
        """Why it is not asked; None while it is."""
        self.answered = self.passed_on = 0
        """Questions that it answered, and that the primary had to."""
        self.lag: float | None = None
        """By how many seconds it lags at most; None if that is not known."""

    def open(self) -> None:
        self._pool.open()
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._pool.close()

    def need(self, lsn: str) -> None:
        """Answer nothing from now on that does not know what the primary had written up to there."""
        place = position(lsn)
        with self._lock:
            self._needed = max(self._needed, place)

    def ask(self, question: Callable[[Connection], T]) -> T:
        """The answer; raises BehindError where the primary must be asked, and what the question raises."""
        self.passed_on += 1
        if self.reason is not None:
            raise BehindError
        try:
            answer = self._pool.ask(lambda connection: self._ask(connection, question))
        except errors.TransientError as error:
            if error.sqlstate == _CANCELED:
                raise  # too much for any server
            if error.sqlstate is None:
                self._refuse("The replica does not answer.")
            raise BehindError from error
        self.passed_on -= 1
        self.answered += 1
        return answer

    def _ask(self, connection: Connection, question: Callable[[Connection], T]) -> T:
        needed = self._needed
        for pause in _STEPS:
            time.sleep(pause)
            with connections.deadline(connection, _ANSWER):
                row = connection.execute("SELECT pg_last_wal_replay_lsn()::text WHERE pg_is_in_recovery()").fetchone()
            if row is None:
                self._refuse("READ_DATABASE_URL leads to no replica.")
                raise BehindError
            if row[0] is not None and position(str(row[0])) >= needed:
                return question(connection)
        raise BehindError

    def _refuse(self, reason: str) -> None:
        if self.reason != reason:
            log.warning("%s The primary answers alone.", reason)
        self.reason = reason

    def _watch(self) -> None:
        while not self._stopping.wait(_LOOK):
            self._look_at_primary()
            self._look_at_replica()
        for connection in self._open.values():
            connection.close()

    def _look_at_primary(self) -> None:
        """While it is away nothing new is known to lag behind, and its replica goes on answering."""
        try:
            found = self._look(
                "primary",
                "SELECT e.epoch::text, pg_current_wal_flush_lsn()::text FROM epoch AS e WHERE NOT pg_is_in_recovery()",
            )
        except errors.TransientError:
            return
        if found is None:
            return
        mark = Mark(time.monotonic(), str(found[0]), position(str(found[1])))
        with self._lock:
            if self._marks and self._marks[-1].epoch != mark.epoch:
                # Another life of the database, whose log may be shorter than what is remembered of the last.
                self._marks.clear()
                self._needed = mark.lsn
            self._marks.append(mark)

    def _look_at_replica(self) -> None:
        began = time.monotonic()
        try:
            found = self._look(
                "replica",
                "SELECT e.epoch::text, pg_last_wal_replay_lsn()::text FROM epoch AS e WHERE pg_is_in_recovery()",
            )
        except errors.TransientError:
            self._refuse("The replica does not answer.")
            return
        if found is None or found[1] is None:
            self._refuse("READ_DATABASE_URL leads to no replica.")
            return
        if not self._marks:
            self._refuse("The primary does not say how far it is.")
            return
        if found[0] != self._marks[-1].epoch:
            # It has not replayed that far, or follows a primary that is none any more.
            self._refuse("The replica knows nothing of the primary's newest life.")
            return
        self.lag = self._behind(began, position(str(found[1])))
        if self.lag > LAG:
            self._refuse("The replica lags behind.")
        elif self.reason is not None:
            log.info("the replica answers, %.1f s behind", self.lag)
            self.reason = None

    def _behind(self, now: float, replayed: int) -> float:
        """At most by how many seconds: since the primary was last seen where the replica is by now, or before it."""
        if self._marks[-1].lsn <= replayed:
            return 0.0
        passed = [mark.at for mark in self._marks if mark.lsn <= replayed]
        return now - (passed[-1] if passed else self._marks[0].at)

    def _look(self, server: str, statement: LiteralString) -> tuple[object, ...] | None:
        connection = self._open.get(server)
        if connection is None or not connections.is_idle(connection):
            self._open.pop(server, None)
            self._open[server] = connection = connections.open(self._urls[server], f"api looks at {server}")
        with errors.translated(), connections.deadline(connection, _ANSWER):
            return connection.execute(statement).fetchone()


def position(lsn: str) -> int:
    """A place in PostgreSQL's log as a number."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)
