"""Implements a proxy between two processes that injects network faults."""

import asyncio
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK_BYTES = 1 << 16
LINGER_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with zero time: closing sends a reset."""


class _ProxiedConnection:
    """A client's connection, and the one to the server that was opened for it."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.is_blackholed = False
        """True if data on the connection was discarded. Nothing can arrive on it any more."""
        self.cut_at_reply = False

    def abort(self) -> None:
        for writer in (self.client, self.server):
            if writer is not None:
                sock: socket.socket | None = writer.get_extra_info("socket")
                if sock is not None and sock.family != socket.AF_UNIX and sock.fileno() >= 0:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
                writer.transport.abort()


class FaultProxy:
    """A proxy on its own port that passes everything to a server's Unix socket, or injects faults.

    The attributes may be set at any time from any thread.
    """

    def __init__(self, upstream: Path) -> None:
        self.delay_seconds = 0.0
        """Seconds that every piece is late, either way."""
        self.refuse_connections = False
        """True to reset new connections at once."""
        self.blackhole = False
        """True to discard data. An affected connection stays dead, as behind a router that lost its state."""
        self.dropped_replies = 0
        """The number of replies that were dropped because of `drop_reply_after`."""
        self._upstream = upstream
        self._marker: bytes | None = None
        self._links: set[_ProxiedConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self._listener.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)
        self._thread.start()

    def reset_connections(self) -> None:
        """Reset all existing connections."""
        self._loop.call_soon_threadsafe(self._reset_all)

    def drop_reply_after(self, marker: bytes) -> None:
        """Pass on the next request that contains the marker, drop its reply and reset the connection."""
        self._marker = marker

    def connect_to(self, upstream: Path) -> None:
        """Connect new clients to another server's socket, and reset existing connections."""
        self._upstream = upstream
        self.reset_connections()

    def heal(self) -> None:
        """End all faults. Dead connections are reset, as by a router that restarted."""
        self.delay_seconds = 0.0
        self.refuse_connections = self.blackhole = False
        self._marker = None
        self._loop.call_soon_threadsafe(self._reset_blackholed)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._listener))
        self._loop.run_forever()
        server.close()
        self._reset_all()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(self._cancelled_tasks())
        self._loop.close()

    async def _cancelled_tasks(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    def _reset_all(self) -> None:
        for link in self._links:
            link.abort()

    def _reset_blackholed(self) -> None:
        for link in self._links:
            if link.is_blackholed:
                link.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _ProxiedConnection(writer)
        self._links.add(link)
        try:
            if self.refuse_connections:
                return
            if self.blackhole:
                link.is_blackholed = True
                while await reader.read(CHUNK_BYTES):
                    pass
                return
            from_server, link.server = await asyncio.open_unix_connection(str(self._upstream))
            await asyncio.gather(
                self._forward(reader, link, to_server=True), self._forward(from_server, link, to_server=False)
            )
        except (OSError, asyncio.CancelledError):
            pass  # either side closed, which the other side receives as a reset; or the proxy is closed
        finally:
            self._links.discard(link)
            link.abort()

    async def _forward(self, reader: asyncio.StreamReader, link: _ProxiedConnection, *, to_server: bool) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            if link.is_blackholed or self.blackhole:
                link.is_blackholed = True
                continue
            if to_server:
                self._match_marker(chunk, link)
            elif link.cut_at_reply:
                self.dropped_replies += 1
                raise ConnectionResetError
            writer = link.server if to_server else link.client
            assert writer is not None
            writer.write(chunk)
            await writer.drain()
        if not link.is_blackholed:
            raise ConnectionResetError  # one side has closed: so does the other

    def _match_marker(self, chunk: bytes, link: _ProxiedConnection) -> None:
        if self._marker is not None and self._marker in chunk:
            self._marker = None
            link.cut_at_reply = True
