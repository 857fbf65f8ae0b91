"""Simulates gateways of every kind except SAK on one address, which accept sends and webhooks as documented."""

import base64
import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from dev.gateway.senders import sender_lists
from dev.gateway.senders.sender_hooks import SESSIONS, PretendHooks

KEY = "made-up-user:made-up-key"
OWN_NUMBER = "919880000001"
WAMID = "wamid.OTE5ODExMDAwMDExFQIAERg="
BARE_ID = "3EB0C0FFEE01"


@dataclass(frozen=True, slots=True)
class Received:
    """A request that a gateway accepted."""

    path: str
    headers: dict[str, str]
    fields: dict[str, Any]
    """The fields of the JSON or of the form."""


@dataclass(slots=True)
class PretendSenders:
    url: str
    received: list[Received] = field(default_factory=list[Received])
    answer: tuple[int, Any] | None = None
    """The response to every request, in place of the documented one."""
    loses_answers: bool = False
    """True to respond as if something failed after the message was sent."""
    hooks: dict[str, PretendHooks] = field(default_factory=lambda: {kind: PretendHooks(kind) for kind in SESSIONS})
    """The webhooks of each kind."""
    listed: list[str] = field(default_factory=list[str])
    """The texts of our messages in the lists of chats, newest first."""

    def sends(self) -> list[Received]:
        """Return the accepted requests, without those that prepare a send."""
        return [request for request in self.received if not request.path.endswith(("/devices", "/media"))]

    def respond(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        """Return the status and the JSON of the response."""
        _, kind, path = unquote(target.partition("?")[0]).split("/", 2)
        fields = _fields(headers.get("content-type", ""), body)
        name, key = _AUTHENTICATION[kind]
        if headers.get(name) != key:
            return 401, {"message": "Unauthorized"}
        if (about_hooks := self.hooks[kind].answer(method, f"/{path}", fields)) is not None:
            return self.answer or about_hooks
        if (listed := sender_lists.answer(kind, f"/{path}", self.listed)) is not None:
            return self.answer or (200, listed)
        for of_kind, pattern, required, status, answer in _ROUTES:
            if kind == of_kind and re.fullmatch(pattern, f"/{path}"):
                refusal = _refusal(kind, path, headers, [name for name in required if name not in fields])
                return refusal or self._take(Received(target, headers, fields), bool(required), (status, answer))
        return 404, {"message": f"Cannot {method} /{path}"}

    def _take(self, request: Received, is_send: bool, answer: tuple[int, Any]) -> tuple[int, Any]:  # noqa: FBT001
        self.received.append(request)
        return (500, {"message": "made up"}) if self.loses_answers and is_send else self.answer or answer


_AUTHENTICATION = {
    "waha": ("x-api-key", KEY),
    "openwa": ("x-api-key", KEY),
    "evolution": ("apikey", KEY),
    "wuzapi": ("token", KEY),
    "gowa": ("authorization", f"Basic {base64.b64encode(KEY.encode()).decode()}"),
    "meta": ("authorization", f"Bearer {KEY}"),
}
_LONG_ID = f"true_919811000011@c.us_{BARE_ID}"
_ROUTES: list[tuple[str, str, tuple[str, ...], int, dict[str, Any]]] = [
    ("waha", "/api/sendText", ("session", "chatId", "text"), 201, {"id": _LONG_ID, "timestamp": 1789000000}),
    ("waha", "/api/send(Image|Video|File)", ("session", "chatId", "file"), 201, {"id": {"_serialized": _LONG_ID}}),
    ("openwa", "/api/sessions/[^/]+/messages/send-text", ("chatId", "text"), 201, {"messageId": _LONG_ID}),
    *(
        ("openwa", f"/api/sessions/[^/]+/messages/send-{kind}", ("chatId", "base64"), 201, {"messageId": BARE_ID})
        for kind in ("image", "video", "document")
    ),
    ("evolution", "/message/sendText/[^/]+", ("number", "text"), 201, {"key": {"id": BARE_ID}, "status": "PENDING"}),
    ("evolution", "/message/sendMedia/[^/]+", ("number", "mediatype", "media"), 201, {"key": {"id": BARE_ID}}),
    ("wuzapi", "/chat/send/text", ("Phone", "Body"), 200, {"code": 200, "data": {"Id": BARE_ID}, "success": True}),
    ("wuzapi", "/chat/send/image", ("Phone", "Image"), 200, {"code": 200, "data": {"Id": BARE_ID}, "success": True}),
    ("gowa", "/devices", (), 200, {"results": [{"id": "till", "jid": f"{OWN_NUMBER}@s.whatsapp.net"}]}),
    ("gowa", "/send/message", ("phone", "message"), 200, {"code": "SUCCESS", "results": {"message_id": BARE_ID}}),
    ("gowa", "/send/image", ("phone", "image"), 200, {"code": "SUCCESS", "results": {"message_id": BARE_ID}}),
    ("meta", "/[0-9]+/media", ("messaging_product", "type", "file"), 200, {"id": "1300000000000301"}),
    ("meta", "/[0-9]+/messages", ("messaging_product", "to", "type"), 200, {"messages": [{"id": WAMID}]}),
]
"""Kind, path, required fields, status, answer."""


@contextmanager
def running() -> Generator[PretendSenders]:
    """Provide the gateways. The API of each kind is below `/KIND`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    senders = PretendSenders(f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = _handler(senders)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield senders
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(senders: PretendSenders) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.do_POST()

        def do_PUT(self) -> None:
            self.do_POST()

        def do_PATCH(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = senders.respond(self.command, self.path, headers, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Print nothing."""

    return Handler


def _refusal(kind: str, path: str, headers: dict[str, str], missing: list[str]) -> tuple[int, Any] | None:
    if missing:
        return 400, {"message": f"{missing[0]} is missing"}
    if kind == "gowa" and path != "devices" and headers.get("x-device-id") != "till":
        return 404, {"code": "NOT_FOUND", "message": "device not found"}
    return None


def _fields(content_type: str, body: bytes) -> dict[str, Any]:
    if content_type.startswith("multipart/form-data"):
        # The content of a file is not needed here.
        return dict.fromkeys(re.findall(r'form-data; name="([^"]+)"', body.decode("latin-1")), "")
    return json.loads(body) if body else {}
