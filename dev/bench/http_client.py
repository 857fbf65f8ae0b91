"""Implements a minimal HTTP client, because the client's time is measured as well."""

import socket
import time

from dev.bench.errors import WrongResultError
from dev.bench.testbed import API_TOKEN, HOST


class HttpConnection:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path: str) -> tuple[float, bytes]:
        """Return the duration in seconds and the body of the response.

        Raises WrongResultError unless the status is 200.
        """
        head = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {API_TOKEN}\r\n\r\n".encode()
        begun = time.perf_counter()
        self._socket.sendall(head)
        answer = self._socket.recv(1 << 20)
        end = answer.index(b"\r\n\r\n")
        fields = answer[:end].lower()
        at = fields.find(b"content-length: ")
        size = int(fields[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        parts, missing = [answer[end + 4 :]], size - (len(answer) - end - 4)
        while missing > 0:
            parts.append(self._socket.recv(1 << 20))
            missing -= len(parts[-1])
        taken = time.perf_counter() - begun
        body = b"".join(parts)
        if answer[9:12] != b"200":
            raise WrongResultError(f"{path} was answered with {answer[9:12].decode()}: {body[:200]!r}")
        return taken, body

    def close(self) -> None:
        self._socket.close()
