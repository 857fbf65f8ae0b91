"""Runs uvicorn with limited connections and a graceful shutdown that exits with 0."""

import asyncio
import functools
import signal
import socket
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn._types import HTTPScope

from environment.listener import LISTEN_BACKLOG
from http_server.connections import Connections
from http_server.direct_endpoint import DirectEndpoint
from http_server.protocol import BoundedProtocol

_ACCEPTS_IN_A_TURN = 32
"""Each takes a file descriptor. With 8, a webhook waited for 1.3 s behind 900 connections that each sent 200 kB."""
_SWEEP_EVERY_TICKS = 5
"""uvicorn ticks ten times a second."""


class BoundedServer(uvicorn.Server):
    """uvicorn's server, which also closes connections whose deadline has passed."""

    def __init__(  # noqa: PLR0913 - the parts of a process that it serves
        self,
        app: ASGIApp,
        connections: Connections,
        *,
        direct: DirectEndpoint | None = None,
        is_known: Callable[[HTTPScope], bool] | None = None,
        trusts_proxy: bool = False,
        before_shutdown: Callable[[], None] | None = None,
    ) -> None:
        """Create a server. `direct` is offered complete requests before `app`; `before_shutdown` ends event streams.

        `is_known` returns whether a request comes from a client that was authenticated before. If many connections are
        open, others wait for it. Without it, all requests start at once.

        If `trusts_proxy` is set, the server reads X-Forwarded-Proto from a proxy on this machine.
        """
        protocol = functools.partial(BoundedProtocol, table=connections, direct=direct, is_known=is_known)
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("Any", protocol),
                ws="none",
                lifespan="on",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=trusts_proxy,
                backlog=LISTEN_BACKLOG,
                timeout_graceful_shutdown=5,
            )
        )
        self._connections = connections
        self._before_shutdown = before_shutdown

    async def on_tick(self, counter: int) -> bool:
        if counter % _SWEEP_EVERY_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in cast("list[BoundedProtocol]", list(self._connections.open)):
                connection.sweep(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._before_shutdown is not None:
            self._before_shutdown()
        await super().shutdown(sockets)


def serve(server: BoundedServer, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, finish open requests and return."""
    # uvicorn raises the signal again after a graceful shutdown, and the exit code would then be that of a kill.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    server.run(sockets=listen_fairly(listener))


def listen_fairly(listener: socket.socket) -> list[socket.socket]:
    """Return the listener several times, because libuv accepts one connection from each per turn of the event loop.

    With only one, a new client waits for as many turns as there are connections of a crowd before its own.
    """
    return [listener, *(listener.dup() for _ in range(_ACCEPTS_IN_A_TURN - 1))]
