"""Tests the fault proxy. If its faults had no effect, a campaign would prove nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.chaos.faults.fault_proxy import FaultProxy


class Echo:
    """A server that echoes each piece, on a Unix socket."""

    def __init__(self, path: Path) -> None:
        self.heard = b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while piece := connection.recv(1000):
                    self.heard += piece
                    connection.sendall(piece)
            except OSError:
                return


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Echo]:
    server = Echo(tmp_path / "e")
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo, tmp_path: Path) -> Iterator[FaultProxy]:
    del echo  # it must exist before its proxy
    with FaultProxy(tmp_path / "e") as made:
        yield made


def connect(proxy: FaultProxy) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=1)
    connection.settimeout(0.3)
    return connection


def ask(connection: socket.socket, question: bytes) -> bytes:
    connection.sendall(question)
    return connection.recv(1000)


def refused(proxy: FaultProxy) -> bool:
    try:
        with connect(proxy) as connection:
            return not ask(connection, b"hello")  # an end of file counts as a refusal, like a reset
    except ConnectionError:
        return True


def test_it_passes_everything_on(proxy: FaultProxy) -> None:
    """Without a configured fault it must change nothing."""
    with connect(proxy) as connection:
        assert ask(connection, b"hello") == b"hello"


def test_a_cut_resets_what_is_connected_and_nothing_after(proxy: FaultProxy) -> None:
    """The fault is like a host that dies and comes back."""
    with connect(proxy) as connection:
        ask(connection, b"hello")
        proxy.reset_connections()

        with pytest.raises(ConnectionResetError):
            connection.recv(10)
    with connect(proxy) as connection:
        assert ask(connection, b"again") == b"again"


def test_it_refuses_new_connections_while_told_to(proxy: FaultProxy) -> None:
    """The fault is like a server that is not running."""
    proxy.refuse_connections = True

    assert refused(proxy)
    proxy.heal()
    with connect(proxy) as connection:
        assert ask(connection, b"hello") == b"hello"


def test_a_blackholed_connection_gets_no_response_and_stays_dead(proxy: FaultProxy, echo: Echo) -> None:
    """The fault is like a firewall that forgot the connection: only a time-out of the waiting side ends it."""
    with connect(proxy) as connection:
        ask(connection, b"hello")
        proxy.blackhole = True
        with pytest.raises(TimeoutError):
            ask(connection, b"lost")
        proxy.blackhole = False
        with pytest.raises(TimeoutError):
            ask(connection, b"lost too")

    assert echo.heard == b"hello"


def test_a_dropped_reply_is_one_whose_request_was_heard(proxy: FaultProxy, echo: Echo) -> None:
    """The request was executed, but the client does not know it. This distinguishes idempotent clients."""
    proxy.drop_reply_after(b"COMMIT")
    with connect(proxy) as connection:
        assert ask(connection, b"BEGIN") == b"BEGIN"
        with pytest.raises(ConnectionResetError):
            ask(connection, b"COMMIT")

    assert echo.heard == b"BEGINCOMMIT"
    assert proxy.dropped_replies == 1


def test_a_delay_makes_both_ways_late(proxy: FaultProxy) -> None:
    """The fault is like a distant or busy server: data arrives late, but all of it."""
    proxy.delay_seconds = 0.05
    start = time.monotonic()
    with connect(proxy) as connection:
        assert ask(connection, b"hello") == b"hello"

    assert time.monotonic() - start >= 0.1
