"""Serves one connection in this process, and records what its application, its client and the server received."""

import asyncio
import hashlib
import logging
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop
from starlette.types import Message, Receive, Scope, Send
from uvicorn._types import HTTPScope

from http_server import error_responses
from http_server.bounds import ConnectionBounds
from http_server.connections import Connections
from http_server.direct_endpoint import Respond
from http_server.server import BoundedServer

DIRECT_PATH = "/direct"
EARLY_PATH = "/early"
"""The path of requests that are answered before the body is read."""
BOUNDS = ConnectionBounds(4, 1 << 23, 1 << 20, body_seconds=10, answers_half_closed=True)
END_SECONDS = 10.0
RESET = struct.pack("ii", 1, 0)
"""The SO_LINGER of a socket that is reset when it is closed."""


@dataclass(frozen=True)
class SeenRequest:
    """A complete request as the application received it."""

    method: str
    path: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes | None
    """None if the path is EARLY_PATH."""

    @property
    def digest(self) -> bytes:
        """The content of the response."""
        return hashlib.sha256(repr(self).encode()).hexdigest().encode()


@dataclass
class ServedConnection:
    seen: list[SeenRequest] = field(default_factory=list[SeenRequest])
    answers: bytes = b""
    refusals: list[str] = field(default_factory=list[str])
    """The codes of refused requests."""
    errors: list[str] = field(default_factory=list[str])
    """Exceptions that were not handled."""
    left: tuple[int, int] = (0, 0)
    """The number of connections that are open at the end, and of bytes that are counted as held."""

    @property
    def whole_requests(self) -> list[SeenRequest]:
        """The requests that were read to the end before they were answered."""
        return [request for request in self.seen if request.body is not None]


def converse(pieces: Sequence[bytes], *, resets: bool = False) -> ServedConnection:
    """Send the pieces one after another, close our half and read to the end. `resets` ends with a reset instead."""
    return uvloop.run(_converse(pieces, resets=resets))


async def _converse(pieces: Sequence[bytes], *, resets: bool) -> ServedConnection:
    served = ServedConnection()
    loop = asyncio.get_running_loop()

    class Direct:
        """A handler that takes complete requests to DIRECT_PATH and answers in a later iteration of the event loop."""

        def serve(self, scope: HTTPScope, body: bytes, respond: Respond) -> bool:
            if scope["path"] != DIRECT_PATH:
                return False
            request = SeenRequest(scope["method"], scope["path"], tuple(scope["headers"]), body)
            served.seen.append(request)
            length = (b"content-length", b"%d" % len(request.digest))
            loop.call_soon(respond, 200, error_responses.encode_headers([length]), request.digest)
            return True

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        message: Message = {"more_body": scope["path"] != EARLY_PATH}
        while message["more_body"]:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
        is_early = scope["path"] == EARLY_PATH
        request = SeenRequest(scope["method"], scope["path"], tuple(scope["headers"]), None if is_early else body)
        served.seen.append(request)
        headers = [(b"content-length", str(len(request.digest)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": request.digest})

    connections = Connections(BOUNDS, served.refusals.append)
    server = BoundedServer(application, connections, direct=Direct())
    server.config.load()
    protocol: Any = server.config.http_protocol_class
    loop.set_exception_handler(lambda _, context: served.errors.append(repr(context)))
    handler = logging.Handler()
    handler.emit = lambda record: served.errors.append(record.getMessage())
    logging.getLogger("uvicorn.error").addHandler(handler)
    listener = await loop.create_server(
        lambda: protocol(config=server.config, server_state=server.server_state, app_state={}), "127.0.0.1", 0
    )
    try:
        async with listener:
            with socket.create_connection(listener.sockets[0].getsockname()) as client:
                client.setblocking(False)  # noqa: FBT003 - the socket's own argument
                await asyncio.wait_for(_talk(client, pieces, served, resets=resets), END_SECONDS)
            for _ in range(5):
                await asyncio.sleep(0)
    finally:
        logging.getLogger("uvicorn.error").removeHandler(handler)
    served.left = len(connections.open), connections.held_bytes
    return served


async def _talk(client: socket.socket, pieces: Sequence[bytes], served: ServedConnection, *, resets: bool) -> None:
    loop = asyncio.get_running_loop()
    reading = loop.create_task(_read(client, served))
    try:
        for piece in pieces:
            await loop.sock_sendall(client, piece)
            for _ in range(3):  # iterations in which the server reads it
                await asyncio.sleep(0)
        if resets:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            reading.cancel()
            await asyncio.wait([reading])
            return
        client.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the server has closed the connection
    await reading


async def _read(client: socket.socket, served: ServedConnection) -> None:
    try:
        while part := await asyncio.get_running_loop().sock_recv(client, 1 << 16):
            served.answers += part
    except OSError:
        pass
