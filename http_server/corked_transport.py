"""Buffers writes until the end of an event loop turn, so that a response takes one system call instead of two.

It closes only after the client has sent its whole request. Otherwise the response would be followed by a reset, which
would discard it at the client.
"""

import asyncio
from typing import Any

_MAX_BUFFERED_BYTES = 64 << 10
"""The size in bytes above which a buffer is sent at once, so that the connection notices a client that does not read.
"""


class CorkedTransport(asyncio.Transport):
    """A wrapper of a connection's transport."""

    __slots__ = ("_buffer", "_buffered_bytes", "_loop", "_transport", "is_lingering", "lingers", "written_bytes")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self.written_bytes = 0
        """Bytes passed to the connection so far."""
        self.lingers = False
        """True if the first `close` waits for the rest of the request."""
        self.is_lingering = False
        """True while it waits. The owner then closes again at the end of the request, or aborts."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._buffer:
            self._loop.call_soon(self.flush)
        self._buffer.append(bytes(data))
        self._buffered_bytes += len(data)
        if self._buffered_bytes > _MAX_BUFFERED_BYTES:
            self.flush()

    def write_at_once(self, data: bytes) -> None:
        """Write data at once, without joining it with later writes."""
        self.flush()
        if not self.is_closing():
            self.written_bytes += len(data)
            self._transport.write(data)

    def close(self) -> None:
        self.flush()
        if self.lingers and not self.is_lingering and not self._transport.is_closing():
            self.is_lingering = True
            self._transport.write_eof()
        else:
            self._transport.close()

    def abort(self) -> None:
        self._buffer.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self.is_lingering or self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return the number of bytes that the kernel has not taken yet, because the client does not read."""
        return self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's own type
        return self._transport.get_extra_info(name, default)

    def flush(self) -> None:
        """Send the buffered data now."""
        if self._buffer:
            data = b"".join(self._buffer)
            self._buffer.clear()
            self._buffered_bytes = 0
            if not self._transport.is_closing():
                self.written_bytes += len(data)
                self._transport.write(data)
