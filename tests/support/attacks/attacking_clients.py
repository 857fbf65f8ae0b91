"""Opens many connections at once that send hostile data, from a process of its own.

The process has the lowest priority, because an attacker has a machine of their own and takes no processor time from the
system.
"""

import contextlib
import multiprocessing
import os
import resource
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

CONNECT_SECONDS = 5.0
START_SECONDS = 60.0
RECEIVE_BYTES = 4096
"""The bytes of responses that the kernel buffers for a connection, as for a client with a small window."""
NICENESS = 19


@dataclass(frozen=True)
class Payload:
    """Bytes to send first, and bytes to repeat afterwards. The connection then stays open."""

    first: bytes
    repeated: bytes = b""
    times: int = 0

    def __iter__(self) -> Iterator[bytes]:
        yield self.first
        for _ in range(self.times):
            yield self.repeated


class AttackingClients:
    """Connections to one address, each with a payload. They are closed when the block ends."""

    def __init__(self, url: str, payloads: Sequence[Payload]) -> None:
        address = urlsplit(url)
        processes = multiprocessing.get_context("spawn")
        self._ours, theirs = processes.Pipe()
        self._process = processes.Process(
            target=_run, args=(theirs, (str(address.hostname), address.port or 0), list(payloads)), daemon=True
        )

    def __enter__(self) -> Self:
        self._process.start()
        assert self._ours.poll(START_SECONDS), "the attacking process did not start"
        self._ours.recv()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._process.kill()
        self._process.join()
        self._ours.close()

    def attack(self, seconds: float) -> int:
        """Connect as fast as possible and then send for `seconds`. Return the number of bytes that were accepted."""
        self._ours.send(seconds)
        return self._ours.recv()


def _run(orders: Connection, address: tuple[str, int], payloads: Sequence[Payload]) -> None:
    os.nice(NICENESS)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    orders.send("ready")
    sockets: list[socket.socket] = []
    orders.send(_attack(address, payloads, orders.recv(), sockets))
    orders.recv()  # waits until it is killed


def _attack(address: tuple[str, int], payloads: Sequence[Payload], seconds: float, sockets: list[socket.socket]) -> int:
    sent = 0
    with selectors.DefaultSelector() as selector:
        for payload in payloads:
            connection = socket.socket()
            sockets.append(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            connection.settimeout(CONNECT_SECONDS)
            with contextlib.suppress(OSError):
                connection.connect(address)
                connection.settimeout(0)
                pieces = iter(payload)
                selector.register(connection, selectors.EVENT_WRITE, (pieces, memoryview(next(pieces))))
            sent += _turn(selector, 0)
        end = time.monotonic() + seconds
        while time.monotonic() < end and selector.get_map():
            sent += _turn(selector, 0.05)
        while time.monotonic() < end:  # Stay connected, because the attacker wants to occupy what is limited.
            time.sleep(0.05)
    return sent


def _turn(selector: selectors.BaseSelector, timeout: float) -> int:
    """Send what each connection accepts at once. Responses are not read."""
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
