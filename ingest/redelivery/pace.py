"""Decides how many batches Redis gets at once: more while it is slow, as where each confirmation syncs a disk."""

import time
from collections.abc import Generator
from contextlib import contextmanager

SLOW_SECONDS = 0.2
"""A confirmation that takes longer is slow."""
MIN_BATCHES, MAX_BATCHES = 128, 2048


class Pace:
    """Shared by everything that is sent again."""

    def __init__(self) -> None:
        self.max_batches = MIN_BATCHES
        """How many batches to send at once."""

    @contextmanager
    def measure(self) -> Generator[None]:
        """The block sends batches, and ends when Redis has confirmed them."""
        began = time.monotonic()
        yield
        if time.monotonic() - began > SLOW_SECONDS:
            self.max_batches = min(self.max_batches * 2, MAX_BATCHES)
        else:
            self.max_batches = max(self.max_batches // 2, MIN_BATCHES)
