"""Waits until a condition holds."""

import time
from collections.abc import Callable
from typing import TypeVar

from store.postgres.errors import TransientError

POLL_SECONDS = 0.02
T = TypeVar("T")


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Return as soon as the condition holds. Fail the test if it does not hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold within {seconds:g} seconds"
        time.sleep(POLL_SECONDS)


def retry_transient(work: Callable[[], T], attempts: int = 20) -> T:
    """Return the result of the work, which is repeated after a deadlock as the worker does."""
    for _ in range(attempts):
        try:
            return work()
        except TransientError:
            continue
    return work()
