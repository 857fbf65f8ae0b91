"""uvicorn as ingest runs it: every connection has deadlines, and an end asked for is a clean one."""

import signal
import socket
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

KEEP_ALIVE_SECONDS = 75
GRACE_SECONDS = 5


class Server(uvicorn.Server):
    """uvicorn's server, which also looks for connections that are late."""


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, finish what is under way, and return."""
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    # uvicorn raises the signal again after a graceful end, which would make the exit code that of a kill.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ended)
    Server(config).run(sockets=[listener])


def _ended(_number: int, _frame: FrameType | None) -> None:
    """Nothing is left to do."""
