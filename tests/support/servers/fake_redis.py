"""Imitates a Redis that answers with a given error, or does not answer, at a moment that the test chooses."""

import socket
import socketserver
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from tests.support.servers.server_thread import serving

ReplyFunction = Callable[[bytes], bytes | None]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def fake_redis(answer: ReplyFunction) -> Generator[str]:
    """Serve one command at a time. `answer` returns the reply to the command's first word; None sends no reply."""

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                words = [self._word() for _ in range(int(line[1:]))]
                reply = answer(words[0].upper())
                if reply is not None:
                    self.wfile.write(reply)

        def _word(self) -> bytes:
            size = int(self.rfile.readline()[1:])
            return self.rfile.read(size + 2)[:-2]

    server = _Server(("127.0.0.1", 0), Conversation)
    with serving(server):
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"


@contextmanager
def blackholing_proxy(target: str, blackhole: threading.Event) -> Generator[str]:
    """Forward TCP connections to a Unix socket. While `blackhole` is set, requests arrive and replies are discarded."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as upstream:
                upstream.connect(target)
                threading.Thread(target=self._back, args=[upstream], daemon=True).start()
                while data := self.request.recv(65536):
                    upstream.sendall(data)

        def _back(self, upstream: socket.socket) -> None:
            with suppress(OSError):  # the client has closed its connection
                while data := upstream.recv(65536):
                    if not blackhole.is_set():
                        self.request.sendall(data)

    server = _Server(("127.0.0.1", 0), Relay)
    with serving(server):
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
