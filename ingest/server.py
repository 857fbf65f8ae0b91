"""uvicorn as ingest runs it: every connection has deadlines, and an end asked for is a clean one."""

import asyncio
import signal
import socket
from types import FrameType
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from ingest.listener import BACKLOG
from ingest.protocol import Protocol

KEEP_ALIVE_SECONDS = 75
GRACE_SECONDS = 5
SWEEP_TICKS = 5
"""uvicorn ticks ten times a second."""


class Server(uvicorn.Server):
    """uvicorn's server, which also looks for connections that are late."""

    async def on_tick(self, counter: int) -> bool:
        if counter % SWEEP_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in cast("set[Protocol]", self.server_state.connections.copy()):
                connection.end_if_late(now)
        return await super().on_tick(counter)


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, finish what is under way, and return."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    # uvicorn raises the signal again after a graceful end, which would make the exit code that of a kill.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ended)
    Server(config).run(sockets=[listener])


def _ended(_number: int, _frame: FrameType | None) -> None:
    """Nothing is left to do."""
