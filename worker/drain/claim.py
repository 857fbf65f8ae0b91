"""Refreshes a worker's claim on entries while it stores them, so that no other worker claims them."""

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from redis.exceptions import RedisError

from worker.drain import stream

RENEW_SECONDS = stream.ABANDONED_AFTER_MS / 1000 / 3
"""The time between two refreshes in seconds. Two of them may be lost."""


@contextmanager
def renewing(consumer: stream.StreamConsumer, ids: Sequence[bytes]) -> Generator[None]:
    """Refresh the claim from a background thread, because a worker with a hanging statement must not look dead."""
    done = threading.Event()

    def refresh() -> None:
        while not done.wait(RENEW_SECONDS):
            try:
                consumer.refresh_claims(ids)
            except RedisError:
                continue  # the next refresh may succeed; in any case, no batch is stored twice, because of its key

    thread = threading.Thread(target=refresh, name="claim", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
