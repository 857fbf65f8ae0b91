"""Runs a push service on the loopback interface, and imitates a device that decrypts notifications."""

import json
import os
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from api.push import encryption
from tests.support.servers.server_thread import POLL_SECONDS

_CURVE = ec.SECP256R1()
_WAIT_SECONDS = 5.0
_SECRET = "a secret of the tests, long enough"
KEY = encryption.SigningKey.derive(_SECRET)


def push_variables() -> dict[str, str]:
    """Return the variables of an API that notifies devices of a `PushService`."""
    return {"PUSH_KEY": _SECRET, "PUSH_CONTACT": "mailto:me@example.org", "PUSH_HOSTS": "127.0.0.1"}


@dataclass(slots=True)
class Device:
    """A device with the keys that a browser generates when it subscribes."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(_CURVE))
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def p256dh(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    def subscription(self, **more: object) -> dict[str, object]:
        """Return the body of `POST /api/push`."""
        keys = {"p256dh": encryption.encode(self.p256dh), "auth": encryption.encode(self.auth)}
        return {"endpoint": self.endpoint, **keys, **more}

    def decrypt(self, body: bytes) -> bytes:
        """Return the content that the device shows for a body (RFC 8188, RFC 8291)."""
        salt, (size, length) = body[:16], struct.unpack("!IB", body[16:21])
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(body) <= size
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, sender))
        info = b"WebPush: info\0" + self.p256dh + sender
        secret = HKDF(hashes.SHA256(), 32, self.auth, info).derive(shared)
        key = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(secret)
        nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(secret)
        return AESGCM(key).decrypt(nonce, sealed, None).removesuffix(b"\x02")


@dataclass(frozen=True, slots=True)
class PushRequest:
    path: str
    headers: dict[str, str]
    body: bytes

    def claims(self, public_key: str, audience: str) -> dict[str, Any]:
        """Return the claims of the server, after its signature is verified."""
        token, key = self.headers["authorization"].removeprefix("vapid t=").split(", k=")
        assert key == public_key
        point = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, encryption.decode(key))
        return jwt.decode(token, point, algorithms=["ES256"], audience=audience)


class PushService:
    """A push service that records each request and answers 201, or `status` with `headers`, while it `is_open`."""

    def __init__(self) -> None:
        self.status = 201
        self.headers: dict[str, str] = {}
        self.requests: list[PushRequest] = []
        self.is_open = threading.Event()
        self.is_open.set()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                service.requests.append(PushRequest(self.path, headers, body))
                service.is_open.wait(_WAIT_SECONDS)
                self.send_response(service.status)
                for name, value in {"content-length": "0", **service.headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def notifications(self, device: Device) -> list[dict[str, Any]]:
        """Return the notifications of a device in order."""
        path = device.endpoint.removeprefix(self.url)
        return [json.loads(device.decrypt(request.body)) for request in self.requests if request.path == path]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
