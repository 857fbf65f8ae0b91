"""Keeps a worker's claim on entries fresh while it works on them, so that nobody takes them for abandoned."""

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from redis.exceptions import RedisError

from worker.drain import stream

RENEW_SECONDS = stream.ABANDONED_AFTER_MS / 1000 / 3
"""Seconds between two signs of life; two may be lost."""


@contextmanager
def renewing(consumer: stream.StreamConsumer, ids: Sequence[bytes]) -> Generator[None]:
    """Refresh the claim from a thread of its own: a statement that hangs must not look like a death."""
    done = threading.Event()

    def refresh() -> None:
        while not done.wait(RENEW_SECONDS):
            try:
                consumer.refresh_claims(ids)
            except RedisError:
                continue  # the next one may get through; the batch's key in PostgreSQL keeps a second worker out anyway

    thread = threading.Thread(target=refresh, name="hold", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
