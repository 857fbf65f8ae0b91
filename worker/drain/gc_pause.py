"""Pauses Python's cyclic garbage collector during a drain step."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def paused() -> Generator[None]:
    """Collect garbage after the block instead of within it.

    A transaction has a hundred thousand objects without cycles, which all live until COMMIT. Collecting them repeatedly
    took a fifth of a worker's time (docs/performance/profiles.md).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
