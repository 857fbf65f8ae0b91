"""The one job there is. Its name is the contract with ingest; the worker runs nothing else."""

from collections.abc import Callable
from contextvars import ContextVar

DRAIN: ContextVar[Callable[[], None]] = ContextVar("DRAIN")
"""What drains in this process, with its connections; set by worker.rq_worker."""


def drain() -> None:
    """Write what waits in the stream, once each, and leave a hint if time was up first."""
    DRAIN.get()()
