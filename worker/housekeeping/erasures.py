"""Erases, between drains, what is to be forgotten: LIDs that proved to be somebody, and what a killed command left."""

import logging
import time
from collections.abc import Callable

from store.erasure import jobs
from store.erasure.key_store import SuppressionKeyStore
from store.postgres import connections
from store.postgres.connections import Connection
from store.postgres.errors import TransientError

log = logging.getLogger("worker.housekeeping.erasures")

SLICE_SECONDS = 2.0
"""Seconds that may be spent before the worker looks after other things."""
STEP_DEADLINE_SECONDS = 20.0
"""Seconds that PostgreSQL has for a step."""
POLL_SECONDS = 1.0
"""Seconds between two looks for something to erase, and before another try."""


class ErasureRunner:
    """One worker's part; of several that are at it each takes a step in turn."""

    def __init__(self, key_store: SuppressionKeyStore) -> None:
        self._key_store = key_store
        self._next_poll_at = 0.0

    def run(self, get_connection: Callable[[], Connection], may_continue: Callable[[], bool]) -> None:
        """Do some of what is to be done, if anything is; never raises for PostgreSQL, where it stays written down."""
        if time.monotonic() < self._next_poll_at:
            return
        until = time.monotonic() + SLICE_SECONDS
        try:
            while self._step(get_connection()) and time.monotonic() < until and may_continue():
                pass
        except TransientError as error:
            log.warning("%s: what is to be erased is erased later", error)
        if time.monotonic() < until:
            self._next_poll_at = time.monotonic() + POLL_SECONDS

    def _step(self, connection: Connection) -> bool:
        with connections.deadline(connection, STEP_DEADLINE_SECONDS):
            return jobs.has_pending(connection) and jobs.run_next_step(connection, self._key_store) is not None
