"""Defines the only RQ job. Its name is part of the contract with ingest, and the worker runs no other job."""

from collections.abc import Callable
from contextvars import ContextVar

DRAIN: ContextVar[Callable[[], None]] = ContextVar("DRAIN")
"""The drain of this process with its connections, set by worker.rq_worker."""


def drain() -> None:
    """Write the entries of the stream to PostgreSQL, and enqueue another drain job if more are left."""
    DRAIN.get()()
