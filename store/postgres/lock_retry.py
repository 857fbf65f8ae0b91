"""Tries again what gave way to somebody's locks."""

import time
from collections.abc import Callable
from typing import TypeVar

from store.postgres import errors

LOCK_FAILURES = frozenset({"55P03", "40P01"})  # the lock was not to be had in time; a deadlock
_RETRY_INTERVAL = 1.0

Result = TypeVar("Result")


def retry_on_lock(attempt: Callable[[], Result], seconds: float) -> Result:
    """Try until it works, for so long; raises StoreError, whatever else fails at once."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with errors.translated():
                return attempt()
        except errors.TransientError as error:
            if error.sqlstate not in LOCK_FAILURES or time.monotonic() + _RETRY_INTERVAL > deadline:
                raise
        time.sleep(_RETRY_INTERVAL)
