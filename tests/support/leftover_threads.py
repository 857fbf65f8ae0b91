"""Finds threads that outlive the test that started them."""

import threading
import time
from collections.abc import Set as AbstractSet

_END_SECONDS = 2.0
"""The time in which the threads of a stopped server must end, in seconds."""
_KEPT_THREADS = ("AnyIO worker thread", "asyncio", "watchdog", "_collect_output")
"""Parts of the names of threads that an event loop, the process or a stack of the module keeps for later work."""


def wait_for_end(before: AbstractSet[threading.Thread]) -> list[str]:
    """Return the names of the threads that were started since `before` and do not end."""
    deadline = time.monotonic() + _END_SECONDS
    started = [
        thread
        for thread in threading.enumerate()
        if thread not in before and not any(part in thread.name for part in _KEPT_THREADS)
    ]
    for thread in started:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread.name for thread in started if thread.is_alive()]
