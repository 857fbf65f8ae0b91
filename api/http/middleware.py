"""What every answer goes through: counted, safe headers, and nothing sent again to whoever has it."""

import hashlib
import re
import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import request_log

_HEADERS = {
    # Nobody but the caller keeps it, and not without asking whether it is still so.
    "cache-control": "private, no-cache",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "vary": "Authorization, Cookie",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_AS_OF = re.compile(rb'"as_of":"[A-Za-z0-9_-]*"')
"""Differs with every transaction anywhere; a page that is otherwise the same is the same, and an older as_of of it
marks no more as read than the newer one."""


class Front:
    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self.app = app
        self._requests = Counter("sak_api_requests", "Answers.", ["endpoint", "method", "status"], registry=registry)
        self._seconds = Histogram("sak_api_seconds", "Until an answer began.", ["endpoint"], registry=registry)
        self.streams = Gauge("sak_api_streams", "Clients that are told of changes as they happen.", registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with request_log.named() as name:
            answer = _Answer(self, scope, send, name)
            try:
                await self.app(scope, receive, answer.send)
            finally:
                if answer.streams:
                    self.streams.dec()

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        endpoint = getattr(scope.get("endpoint"), "__name__", "none")
        method = scope["method"] if scope["method"] in {"GET", "HEAD", "POST", "DELETE", "OPTIONS"} else "other"
        self._requests.labels(endpoint, method, str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)
        request_log.answered(method, endpoint, status, seconds)


class _Answer:
    """One answer on its way out."""

    def __init__(self, front: Front, scope: Scope, send: Send, name: str) -> None:
        self.streams = False
        """Whether it is a stream, which lasts."""
        self._front = front
        self._name = name
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()
        self._head: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._front.count(self._scope, message["status"], time.perf_counter() - self._began)
            headers = MutableHeaders(raw=message["headers"])
            if headers.get("content-type", "").startswith("text/event-stream"):
                self.streams = True
                self._front.streams.inc()
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers[request_log.HEADER] = self._name
            if self._may_be_known(message["status"], headers):
                self._head = message
                return
        elif self._head is not None and message["type"] == "http.response.body":
            head, self._head = self._head, None
            if not message.get("more_body"):
                message = self._tagged(head, message)
            await self._send(head)
        await self._send(message)

    def _may_be_known(self, status: int, headers: MutableHeaders) -> bool:
        return (
            status == 200
            and self._scope["method"] in {"GET", "HEAD"}
            and self._scope["path"].startswith("/api/")
            and headers.get("content-type") == "application/json"
            and headers["cache-control"] != "no-store"
        )

    def _tagged(self, head: Message, message: Message) -> Message:
        """The body with its tag among the headers; 304 and no body if the caller has it."""
        body: bytes = message.get("body", b"")
        tag = f'W/"{hashlib.blake2b(_AS_OF.sub(b"", body), digest_size=12).hexdigest()}"'
        headers = MutableHeaders(raw=head["headers"])
        headers["etag"] = tag
        known = {one.strip() for one in Headers(scope=self._scope).get("if-none-match", "").split(",")}
        if tag in known or "*" in known:
            head["status"] = 304
            del headers["content-length"]
            del headers["content-type"]
            return {"type": "http.response.body", "body": b""}
        return message


def middleware(environ: Mapping[str, str], registry: CollectorRegistry) -> list[Middleware]:
    """From the outside to the inside; other sites may read answers only if API_CORS_ORIGINS names them."""
    origins = [origin.strip() for origin in environ.get("API_CORS_ORIGINS", "").split(",") if origin.strip()]
    cors = [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "Idempotency-Key", "If-None-Match"],
            expose_headers=["ETag", "Retry-After"],
        )
    ]
    return [
        *(cors if origins else []),
        Middleware(GZipMiddleware, minimum_size=1024, compresslevel=4),
        Middleware(Front, registry),
    ]
