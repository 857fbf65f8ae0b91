"""Retries work that PostgreSQL refused because of a lock: not granted in time, or a deadlock."""

import time
from collections.abc import Callable
from typing import TypeVar

from store.postgres import errors

LOCK_FAILURES = frozenset({"55P03", "40P01"})
"""SQLSTATE of a lock that was not granted in time, and of a deadlock."""
LOCK_WAIT = 60.0
"""Seconds for which work yields to others' locks, unless the caller says otherwise."""

Result = TypeVar("Result")


def retry_on_lock(
    operation: Callable[[], Result], seconds: float | None = None, *, first_delay: float = 1.0, max_delay: float = 1.0
) -> Result:
    """Repeat the operation until it gets its locks, for so many seconds; the delay doubles up to `max_delay`.

    Raises StoreError: at once for any other failure, and TransientError once the time is over.
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
