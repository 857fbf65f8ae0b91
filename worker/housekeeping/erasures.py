"""Erases, between drains, what is to be forgotten: LIDs that proved to be somebody, and what a killed command left."""

import logging
import time
from collections.abc import Callable

from store.erasure import jobs
from store.erasure.key_store import Keeping
from store.postgres import connections
from store.postgres.connections import Connection
from store.postgres.errors import TransientError

log = logging.getLogger("worker.housekeeping.erasures")

SLICE = 2.0
"""Seconds that may be spent before the worker looks after other things."""
ANSWER = 20.0
"""Seconds that PostgreSQL has for a step."""
PAUSE = 1.0
"""Seconds between two looks for something to erase, and before another try."""


class Erasures:
    """One worker's part; of several that are at it each takes a step in turn."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self._next = 0.0

    def go_on(self, connection: Callable[[], Connection], may_go_on: Callable[[], bool]) -> None:
        """Do some of what is to be done, if anything is; never raises for PostgreSQL, where it stays written down."""
        if time.monotonic() < self._next:
            return
        until = time.monotonic() + SLICE
        try:
            while self._step(connection()) and time.monotonic() < until and may_go_on():
                pass
        except TransientError as error:
            log.warning("%s: what is to be erased is erased later", error)
        if time.monotonic() < until:
            self._next = time.monotonic() + PAUSE

    def _step(self, connection: Connection) -> bool:
        with connections.deadline(connection, ANSWER):
            return jobs.wanted(connection) and jobs.step(connection, self._keeping) is not None
