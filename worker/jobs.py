"""The only RQ job. Its name is part of the contract with ingest; the worker runs no other."""

from collections.abc import Callable
from contextvars import ContextVar

DRAIN: ContextVar[Callable[[], None]] = ContextVar("DRAIN")
"""This process's drain, with its connections; set by worker.rq_worker."""


def drain() -> None:
    """Write the stream's entries to PostgreSQL, and enqueue another drain job if more are left."""
    DRAIN.get()()
