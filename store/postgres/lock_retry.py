"""Tries again what gave way to somebody's locks."""

import time
from collections.abc import Callable
from typing import TypeVar

from store.postgres import errors

BUSY = frozenset({"55P03", "40P01"})  # the lock was not to be had in time; a deadlock
_PAUSE = 1.0

Result = TypeVar("Result")


def through_locks(attempt: Callable[[], Result], seconds: float) -> Result:
    """Try until it works, for so long; raises StoreError, whatever else fails at once."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with errors.translated():
                return attempt()
        except errors.TransientError as error:
            if error.sqlstate not in BUSY or time.monotonic() + _PAUSE > deadline:
                raise
        time.sleep(_PAUSE)
