"""Runs a task at intervals between drains, and postpones it if PostgreSQL is unavailable or rejects it."""

import logging
import time
from collections.abc import Callable

from store.postgres.errors import PermanentError, TransientError

log = logging.getLogger("worker.housekeeping")

REJECTED_PAUSE_SECONDS = 60.0
"""The pause in seconds after an error that a retry cannot help. Events and the other tasks must not wait for it."""


def run_slice(step: Callable[[], bool], seconds: float, may_continue: Callable[[], bool]) -> bool:
    """Run steps until there is nothing left to do, or for this time. Return whether the time ran out."""
    until = time.monotonic() + seconds
    while step():
        if time.monotonic() >= until:
            return True
        if not may_continue():
            break
    return False


class Periodic:
    """The schedule of a task."""

    def __init__(self, interval_seconds: float, postponed: str) -> None:
        """Create a schedule. `postponed` is logged after an error of PostgreSQL, such as "erasure postponed"."""
        self._interval_seconds = interval_seconds
        self._postponed = postponed
        self._next_at = 0.0

    def run(self, task: Callable[[], bool]) -> None:
        """Run the task if it is due. If it returns that more is left, it is due again at once."""
        if time.monotonic() < self._next_at:
            return
        try:
            has_more = task()
        except TransientError as error:
            log.warning("%s: %s", error, self._postponed)
            has_more = False
        except PermanentError as error:
            log.error("%s: %s", error, self._postponed)  # noqa: TRY400 - PostgreSQL quotes the row in the traceback
            self._next_at = time.monotonic() + REJECTED_PAUSE_SECONDS
            return
        self._next_at = 0.0 if has_more else time.monotonic() + self._interval_seconds
