"""Runs uvicorn with connection deadlines and a graceful shutdown that exits with 0."""

import asyncio
import signal
import socket
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from environment.listener import LISTEN_BACKLOG
from ingest.http.protocol import DeadlineProtocol

SWEEP_EVERY_TICKS = 5
"""uvicorn ticks ten times a second."""


class DeadlineServer(uvicorn.Server):
    """uvicorn's server, which also closes connections whose deadline has passed."""

    async def on_tick(self, counter: int) -> bool:
        if counter % SWEEP_EVERY_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in cast("set[DeadlineProtocol]", self.server_state.connections.copy()):
                connection.close_if_overdue(now)
        return await super().on_tick(counter)


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, finish open requests, and return."""
    config = uvicorn.Config(
        app,
        http=DeadlineProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=LISTEN_BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    # uvicorn raises the signal again after a graceful shutdown, which would turn the exit code into that of a kill.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    DeadlineServer(config).run(sockets=[listener])
