"""Closes connections whose server does not answer in time. One thread serves the whole process."""

import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

import psycopg

_CHECK_INTERVAL = 0.25
"""The time between two checks in seconds. A wait may exceed its limit by this much."""


class Watchdog:
    """A thread that shuts down connections that exceed their time limit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[int, tuple[float, psycopg.Connection[tuple[object, ...]]]] = {}
        self._last_id = 0
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, connection: psycopg.Connection[tuple[object, ...]], seconds: float) -> Generator[None]:
        """Shut the connection down if the block takes longer."""
        with self._lock:
            self._last_id = number = self._last_id + 1
            self._watched[number] = (time.monotonic() + seconds, connection)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            # Under the lock, so that no connection is shut down after its block has ended.
            with self._lock:
                del self._watched[number]

    def _run(self) -> None:
        while True:
            time.sleep(_CHECK_INTERVAL)
            now = time.monotonic()
            with self._lock:
                for due, connection in self._watched.values():
                    if due < now:
                        _shut_down_socket(connection)


def _shut_down_socket(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    with suppress(psycopg.OperationalError, OSError), socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
