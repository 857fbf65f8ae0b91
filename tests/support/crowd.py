"""Many connections at once that send what no ordinary client would."""

import contextlib
import resource
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

CONNECT_SECONDS = 5.0
RECEIVE_BYTES = 4096
"""Of answers that the kernel keeps for a connection, as it does for a client with a small window."""


@dataclass(frozen=True)
class Payload:
    """Bytes to send, and then bytes to repeat; after that the connection stays open."""

    first: bytes
    repeated: bytes = b""
    times: int = 0

    def __iter__(self) -> Iterator[bytes]:
        yield self.first
        for _ in range(self.times):
            yield self.repeated


class Crowd:
    """Connections to one address, each with its payload; closed when the block ends."""

    def __init__(self, url: str, payloads: Sequence[Payload]) -> None:
        address = urlsplit(url)
        self._address = (str(address.hostname), address.port or 0)
        self._payloads = payloads
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._limits = soft, hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(8192, hard)), hard))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for each in self._sockets:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, self._limits)

    def attack(self, seconds: float) -> int:
        """Send for so long, connecting as fast as is allowed; returns how many bytes were taken."""
        end = time.monotonic() + seconds
        sent = 0
        with selectors.DefaultSelector() as selector:
            for payload in self._payloads:
                connection = socket.socket()
                self._sockets.append(connection)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
                connection.settimeout(CONNECT_SECONDS)
                with contextlib.suppress(OSError):
                    connection.connect(self._address)
                    connection.settimeout(0)
                    pieces = iter(payload)
                    selector.register(connection, selectors.EVENT_WRITE, (pieces, memoryview(next(pieces))))
                sent += self._turn(selector, 0)
            while time.monotonic() < end and selector.get_map():
                sent += self._turn(selector, 0.05)
            while time.monotonic() < end:  # stay, as somebody who wants to hold what there is
                time.sleep(0.05)
        return sent

    def _turn(self, selector: selectors.BaseSelector, timeout: float) -> int:
        """Send what is taken at once; nothing that comes back is read."""
        sent = 0
        for key, _ in selector.select(timeout):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            pieces, rest = key.data
            try:
                count = connection.send(rest)
            except BlockingIOError:
                continue
            except OSError:
                selector.unregister(connection)
                continue
            sent += count
            rest = rest[count:] or memoryview(next(pieces, b""))
            if rest:
                selector.modify(connection, selectors.EVENT_WRITE, (pieces, rest))
            else:
                selector.unregister(connection)
        return sent
