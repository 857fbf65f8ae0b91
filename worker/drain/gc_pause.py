"""When Python looks for garbage that refers to itself."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def paused() -> Generator[None]:
    """Look for it after the block and not within.

    A handful of events is a hundred thousand objects, none of which refers to itself, and all of which are alive until
    COMMIT: looking through them again and again was a fifth of a worker's time (docs/performance.md).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
