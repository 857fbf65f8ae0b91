"""Tracks connections of the simulated gateway, so that they can be aborted."""

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol


class OpenConnections:
    """The open connections by the client's address."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol_class(self) -> type[H11Protocol]:
        """Return uvicorn's protocol class, extended to report its connections."""
        connections = self._open

        class TrackedProtocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] -- uvicorn's own signature
                super().connection_made(transport)
                if self.client is not None:
                    connections[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                if self.client is not None:
                    connections.pop(self.client, None)

        return TrackedProtocol

    def reset(self, scope: Scope) -> None:
        """End the request's connection with a RST, like a crash or a firewall."""
        transport = self._transport(scope)
        if transport is None:
            return
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def write_raw(self, scope: Scope, data: bytes) -> None:
        """Write bytes to the connection unchanged, bypassing HTTP."""
        transport = self._transport(scope)
        if transport is not None:
            transport.write(data)

    def _transport(self, scope: Scope) -> asyncio.Transport | None:
        client: Any = scope.get("client")
        return self._open.get(tuple(client)) if client else None
