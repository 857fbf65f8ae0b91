"""Buffers writes until the end of an event loop turn, so that an answer takes one system call instead of two."""

import asyncio
from typing import Any


class CorkedTransport(asyncio.Transport):
    """Wraps a connection's own transport."""

    __slots__ = ("_buffer", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._buffer: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._buffer:
            self._loop.call_soon(self.flush)
        self._buffer.append(bytes(data))

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        self._buffer.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's own type
        return self._transport.get_extra_info(name, default)

    def flush(self) -> None:
        """Send the buffered data now."""
        if self._buffer:
            self._transport.write(b"".join(self._buffer))
            self._buffer.clear()
