"""Runs `python -m ingest` as a process, and its clients over real sockets."""

import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import redis

from ingest.queue import contract
from tests.support.processes import preloaded_python
from tests.support.processes.preloaded_python import AnyProcess

WEBHOOK_SECRET = "a-secret-made-up-for-tests"
WEBHOOK_PATH = "/whatsapp-webhook"
TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class HttpResponse:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self.body))


class IngestProcess:
    """An ingest process that takes over a listening socket, as from the supervisor."""

    def __init__(self, redis_url: str, folder: Path, **environment: str) -> None:
        self._environment = {
            "REDIS_URL": redis_url,
            "WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "DATA_DIR": str(folder),
            "PATH": os.environ.get("PATH", ""),
            **environment,
        }
        self._log = folder / "ingest.log"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = cast("int", self._listener.getsockname()[1])
        self._process: AnyProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.kill()
        self._listener.close()
        if kind is not None:
            sys.stderr.write(self.log)

    @property
    def process(self) -> AnyProcess:
        assert self._process is not None
        return self._process

    @property
    def log(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        """Start the process and wait until it responds."""
        descriptor = self._listener.fileno()
        with self._log.open("ab") as log:
            self._process = preloaded_python.start(
                "ingest",
                environment=self._environment | {"LISTEN_FD": str(descriptor)},
                output=log.fileno(),
                pass_fds=[descriptor],
            )
        assert self.get("/healthz").status == 200

    def kill(self) -> None:
        """End the process with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.terminate()
        return self.process.wait(TIMEOUT_SECONDS)

    def post_webhook(self, body: bytes, headers: Mapping[str, str] | None = None) -> HttpResponse:
        """Post a webhook on a new connection. It is signed unless `headers` are given."""
        return self.request(
            "POST", WEBHOOK_PATH, body, {"X-Webhook-Signature": sign(body)} if headers is None else headers
        )

    def get(self, path: str) -> HttpResponse:
        return self.request("GET", path, b"", {})

    def request(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> HttpResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return HttpResponse(response.status, found, response.read())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_SECONDS)

    def send_raw(self, *parts: bytes) -> bytes:
        """Send the bytes unchanged, close our half of the connection, and return everything that the server sends."""
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def read_metric(self, name: str) -> float:
        """Return a sample of /metrics, or 0 if there is none with this name and these labels."""
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        return 0.0


def sign(body: bytes, secret: str = WEBHOOK_SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def encode_request(body: bytes = b"", *headers: str, method: str = "POST", path: str = WEBHOOK_PATH) -> bytes:
    """Return the bytes of a request with exactly these headers and this body."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: ingest", *headers, "", ""]).encode("latin-1") + body


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def read_response(connection: socket.socket) -> bytes:
    """Read one response according to its length. Return what has arrived if the connection ends before."""
    received = b""
    while part := connection.recv(65536):
        received += part
        head, found, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if found and len(body) >= (int(length[1]) if length else 0):
            break
    return received


def stream_batches(redis_url: str, *, delete: bool = False) -> list[contract.RawBatch]:
    """Return every batch in the stream in order, including copies. `delete` removes all entries."""
    with redis.Redis.from_url(redis_url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        pipeline = client.pipeline()  # pyright: ignore[reportUnknownMemberType] - partly typed
        pipeline.xrange(contract.STREAM)
        if delete:
            pipeline.delete(contract.STREAM)
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", pipeline.execute()[0])
    return [contract.from_fields(fields) for _, fields in entries]


def stream_bodies(redis_url: str) -> list[bytes]:
    """Return the bodies in the stream as a worker counts them, so a batch that occurs twice counts once."""
    once = {(batch.writer, batch.number): batch for batch in stream_batches(redis_url)}
    return [body for batch in once.values() for body in batch.bodies]
