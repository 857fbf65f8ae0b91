"""Pauses Python's cyclic garbage collector during a drain step."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def paused() -> Generator[None]:
    """Collect after the block instead of within.

    A transaction's events are a hundred thousand objects without cycles, all alive until COMMIT: collecting over them
    again and again took a fifth of a worker's time (docs/performance.md).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
