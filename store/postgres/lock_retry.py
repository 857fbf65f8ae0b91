"""Retries work that PostgreSQL rejected because a lock was not granted in time or because of a deadlock."""

import time
from collections.abc import Callable
from typing import TypeVar

from store.postgres import errors

LOCK_FAILURES = frozenset({"55P03", "40P01"})
"""The SQLSTATEs of a lock that was not granted in time, and of a deadlock."""
LOCK_WAIT = 60.0
"""The default time in seconds for which work is retried."""

T = TypeVar("T")


def retry_on_lock(
    operation: Callable[[], T], seconds: float | None = None, *, first_delay: float = 1.0, max_delay: float = 1.0
) -> T:
    """Repeat the operation for up to `seconds` until it gets its locks. The delay doubles up to `max_delay`.

    Raises StoreError at once for any other failure, and TransientError when the time is over.
    """
    deadline = time.monotonic() + (LOCK_WAIT if seconds is None else seconds)
    delay = first_delay
    while True:
        try:
            with errors.translated():
                return operation()
        except errors.TransientError as error:
            if error.sqlstate not in LOCK_FAILURES or time.monotonic() + delay > deadline:
                raise
        time.sleep(delay)
        delay = min(delay * 2, max_delay)
