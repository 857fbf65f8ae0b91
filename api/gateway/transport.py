"""Provides connections that record whether a request was sent and that a deadline can interrupt.

The timeouts of the library requests apply between two bytes, so a slow server can block a caller for ever. Its
exceptions do not tell a request that was never sent from one without a response. Sends depend on that difference.
"""

import socket
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookiejar import DefaultCookiePolicy
from typing import Any

from requests import PreparedRequest, Session
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

MAX_IDLE_SECONDS = 3.0
"""The idle time in seconds after which a connection is not reused, because Node closes it after 5 s, possibly during a
write.
"""
MAX_CONNECTIONS = 40
"""One for each thread of Starlette, all of which may call at the same time."""


class RequestAttempt:
    """One attempt of a request with a deadline."""

    def __init__(self, seconds: float) -> None:
        self.was_sent = False
        """True once a byte of the request was written to a connection."""
        self.expired = False
        self.started = time.monotonic()
        self._socket: Any = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    @property
    def elapsed_seconds(self) -> float:
        return time.monotonic() - self.started

    def attach(self, connection: HTTPConnection) -> None:
        self._socket = connection.sock
        if self.expired:
            raise TimeoutError("no time left to send the request")

    def _expire(self) -> None:
        self.expired = True
        if isinstance(self._socket, socket.socket):
            try:
                # Shut down the socket below TLS, whose own shutdown is not thread-safe, to wake the reading thread.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                return  # closed already

    @contextmanager
    def within_deadline(self) -> Generator[None]:
        """Make requests of this thread within the block belong to the attempt and end at its deadline."""
        token = _current_attempt.set(self)
        self._timer.start()
        try:
            yield
        finally:
            self._timer.cancel()
            _current_attempt.reset(token)


_current_attempt: ContextVar[RequestAttempt | None] = ContextVar("attempt", default=None)


class _TrackedConnection(HTTPConnection):
    """A connection that marks the current attempt as sent when it writes the first byte."""

    _requesting = False
    _last_used = 0.0

    @property
    def is_connected(self) -> bool:
        return super().is_connected and time.monotonic() - self._last_used < MAX_IDLE_SECONDS

    def request(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed through
        self._requesting = True
        try:
            super().request(*args, **options)
        finally:
            self._requesting = False

    def send(self, data: Any) -> None:  # noqa: ANN401 - passed through
        if self.sock is None:
            self.connect()
        attempt = _current_attempt.get()
        if attempt is not None and self._requesting:  # not while the tunnel of a proxy is opened
            attempt.attach(self)
            attempt.was_sent = True
        super().send(data)
        self._last_used = time.monotonic()


class _TrackedTlsConnection(_TrackedConnection, HTTPSConnection):
    pass


class _TrackedPool(HTTPConnectionPool):
    ConnectionCls = _TrackedConnection  # pyright: ignore[reportAssignmentType] - urllib3's own classes do not match its protocol either


class _TrackedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _TrackedTlsConnection  # pyright: ignore[reportAssignmentType] - urllib3's own classes do not match its protocol either


_POOL_CLASSES: Mapping[str, type[HTTPConnectionPool]] = {"http": _TrackedPool, "https": _TrackedTlsPool}


class HeaderAuth(AuthBase):
    """Headers that are passed as `auth`.

    The library `requests` would replace other headers by credentials from ~/.netrc.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers.update(self._headers)
        return request


def create_session() -> Session:
    """Return a session with tracked connections, without retries and without cookies."""
    session = Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _TrackingAdapter())
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = "sak-history"
    return session


class _TrackingAdapter(HTTPAdapter):
    """An adapter for requests with tracked connections and no retries."""

    def __init__(self) -> None:
        super().__init__(max_retries=0, pool_maxsize=MAX_CONNECTIONS)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed through
        super().init_poolmanager(*args, **options)
        _use_tracked_pools(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **options: Any) -> PoolManager:  # noqa: ANN401 - passed through
        return _use_tracked_pools(super().proxy_manager_for(*args, **options))


def _use_tracked_pools(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = dict(_POOL_CLASSES)
    return manager
