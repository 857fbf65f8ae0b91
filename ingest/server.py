"""uvicorn as ingest runs it: every connection has deadlines, and an end asked for is a clean one."""

import asyncio
import signal
import socket
from types import FrameType
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from ingest.listener import LISTEN_BACKLOG
from ingest.protocol import DeadlineProtocol

KEEP_ALIVE_SECONDS = 75
GRACEFUL_SHUTDOWN_SECONDS = 5
SWEEP_EVERY_TICKS = 5
"""uvicorn ticks ten times a second."""


class DeadlineServer(uvicorn.Server):
    """uvicorn's server, which also looks for connections that are late."""

    async def on_tick(self, counter: int) -> bool:
        if counter % SWEEP_EVERY_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in cast("set[DeadlineProtocol]", self.server_state.connections.copy()):
                connection.close_if_overdue(now)
        return await super().on_tick(counter)


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, finish what is under way, and return."""
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
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS,
    )
    # uvicorn raises the signal again after a graceful end, which would make the exit code that of a kill.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignore_signal)
    DeadlineServer(config).run(sockets=[listener])


def _ignore_signal(_number: int, _frame: FrameType | None) -> None:
    """Nothing is left to do."""
