"""Decides how many batches are sent to Redis at once.

More are sent while Redis is slow, because each confirmation syncs a disk.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager

SLOW_SECONDS = 0.2
"""The time in seconds above which a confirmation is slow."""
MIN_BATCHES, MAX_BATCHES = 128, 2048


class Pace:
    """The pace of everything that is sent again."""

    def __init__(self) -> None:
        self.max_batches = MIN_BATCHES
        """The number of batches to send at once."""

    @contextmanager
    def measure(self) -> Generator[None]:
        """Measure a block that sends batches and ends when Redis has confirmed them."""
        began = time.monotonic()
        yield
        if time.monotonic() - began > SLOW_SECONDS:
            self.max_batches = min(self.max_batches * 2, MAX_BATCHES)
        else:
            self.max_batches = max(self.max_batches // 2, MIN_BATCHES)
