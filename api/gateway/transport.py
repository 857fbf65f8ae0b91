"""Connections that know whether a request went out, and that a deadline can end whatever they wait for.

requests' time-outs count from byte to byte: a server that drips holds a caller for ever. And its exceptions do not
tell a request that never left from one whose answer is missing, which for a send is the difference that counts.
"""

import socket
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

MAX_IDLE_SECONDS = 3.0
"""A connection idle for longer is not used again: Node closes it after 5, perhaps just as we write."""
MAX_CONNECTIONS = 40
"""Starlette's, each of which may be calling."""


class RequestAttempt:
    """One request on its way."""

    def __init__(self, seconds: float) -> None:
        self.was_sent = False
        """Whether any of its bytes was given to a connection."""
        self.expired = False
        self.started = time.monotonic()
        self._socket: Any = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    @property
    def elapsed_seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.started

    def attach(self, connection: HTTPConnection) -> None:
        self._socket = connection.sock
        if self.expired:
            raise TimeoutError("no time left to send the request")

    def _expire(self) -> None:
        self.expired = True
        if isinstance(self._socket, socket.socket):
            try:
                # Not the TLS layer's shutdown, which is not made for a second thread: this wakes the one that reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                return  # it is closed already

    @contextmanager
    def within_deadline(self) -> Generator[None]:
        """While this lasts, requests of this thread belong to the attempt, and end when its time is up."""
        token = _current_attempt.set(self)
        self._timer.start()
        try:
            yield
        finally:
            self._timer.cancel()
            _current_attempt.reset(token)


_current_attempt: ContextVar[RequestAttempt | None] = ContextVar("attempt", default=None)


class _TrackedConnection(HTTPConnection):
    """Tells the current attempt when its first byte leaves."""

    _requesting = False
    _last_used = 0.0

    @property
    def is_connected(self) -> bool:
        return super().is_connected and time.monotonic() - self._last_used < MAX_IDLE_SECONDS

    def request(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 -- handed on as it came
        self._requesting = True
        try:
            super().request(*args, **options)
        finally:
            self._requesting = False

    def send(self, data: Any) -> None:  # noqa: ANN401 -- handed on as it came
        if self.sock is None:
            self.connect()
        attempt = _current_attempt.get()
        if attempt is not None and self._requesting:  # and not while a proxy's tunnel is being opened
            attempt.attach(self)
            attempt.was_sent = True
        super().send(data)
        self._last_used = time.monotonic()


class _TrackedTlsConnection(_TrackedConnection, HTTPSConnection):
    pass


class _TrackedPool(HTTPConnectionPool):
    ConnectionCls = _TrackedConnection  # pyright: ignore[reportAssignmentType] -- nor do urllib3's own classes meet its protocol


class _TrackedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _TrackedTlsConnection  # pyright: ignore[reportAssignmentType] -- nor do urllib3's own classes meet its protocol


POOL_CLASSES: Mapping[str, type[HTTPConnectionPool]] = {"http": _TrackedPool, "https": _TrackedTlsPool}


class TrackingAdapter(HTTPAdapter):
    """For a requests session: watched connections, and no retries of its own."""

    def __init__(self) -> None:
        super().__init__(max_retries=0, pool_maxsize=MAX_CONNECTIONS)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 -- handed on as it came
        super().init_poolmanager(*args, **options)
        _use_tracked_pools(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **options: Any) -> PoolManager:  # noqa: ANN401 -- handed on as it came
        return _use_tracked_pools(super().proxy_manager_for(*args, **options))


def _use_tracked_pools(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = dict(POOL_CLASSES)
    return manager
