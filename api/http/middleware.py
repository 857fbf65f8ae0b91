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

_SECURITY_HEADERS = {
    # Nobody but the caller keeps it, and not without asking whether it is still so.
    "cache-control": "private, no-cache",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "vary": "Authorization, Cookie",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_AS_OF_FIELD = re.compile(rb'"as_of":"[A-Za-z0-9_-]*"')
"""Differs with every transaction anywhere; a page that is otherwise the same is the same, and an older as_of of it
marks no more as read than the newer one."""


class ResponseMiddleware:
    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self.app = app
        self._requests = Counter("sak_api_requests", "Answers.", ["endpoint", "method", "status"], registry=registry)
        self._latency = Histogram("sak_api_seconds", "Until an answer began.", ["endpoint"], registry=registry)
        self.open_streams = Gauge(
            "sak_api_streams", "Clients that are told of changes as they happen.", registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with request_log.request_context() as name:
            answer = _OutgoingResponse(self, scope, send, name)
            try:
                await self.app(scope, receive, answer.send)
            finally:
                if answer.is_stream:
                    self.open_streams.dec()

    def record(self, scope: Scope, status: int, seconds: float) -> None:
        endpoint = getattr(scope.get("endpoint"), "__name__", "none")
        method = scope["method"] if scope["method"] in {"GET", "HEAD", "POST", "DELETE", "OPTIONS"} else "other"
        self._requests.labels(endpoint, method, str(status)).inc()
        self._latency.labels(endpoint).observe(seconds)
        request_log.log_response(method, endpoint, status, seconds)


class _OutgoingResponse:
    """One answer on its way out."""

    def __init__(self, middleware: ResponseMiddleware, scope: Scope, send: Send, request_id: str) -> None:
        self.is_stream = False
        """Whether it is a stream, which lasts."""
        self._middleware = middleware
        self._request_id = request_id
        self._scope = scope
        self._send = send
        self._started_at = time.perf_counter()
        self._held_start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._middleware.record(self._scope, message["status"], time.perf_counter() - self._started_at)
            headers = MutableHeaders(raw=message["headers"])
            if headers.get("content-type", "").startswith("text/event-stream"):
                self.is_stream = True
                self._middleware.open_streams.inc()
            for name, value in _SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers[request_log.REQUEST_ID_HEADER] = self._request_id
            if self._supports_etag(message["status"], headers):
                self._held_start = message
                return
        elif self._held_start is not None and message["type"] == "http.response.body":
            head, self._held_start = self._held_start, None
            if not message.get("more_body"):
                message = self._apply_etag(head, message)
            await self._send(head)
        await self._send(message)

    def _supports_etag(self, status: int, headers: MutableHeaders) -> bool:
        return (
            status == 200
            and self._scope["method"] in {"GET", "HEAD"}
            and self._scope["path"].startswith("/api/")
            and headers.get("content-type") == "application/json"
            and headers["cache-control"] != "no-store"
        )

    def _apply_etag(self, start: Message, message: Message) -> Message:
        """The body with its tag among the headers; 304 and no body if the caller has it."""
        body: bytes = message.get("body", b"")
        tag = f'W/"{hashlib.blake2b(_AS_OF_FIELD.sub(b"", body), digest_size=12).hexdigest()}"'
        headers = MutableHeaders(raw=start["headers"])
        headers["etag"] = tag
        known = {one.strip() for one in Headers(scope=self._scope).get("if-none-match", "").split(",")}
        if tag in known or "*" in known:
            start["status"] = 304
            del headers["content-length"]
            del headers["content-type"]
            return {"type": "http.response.body", "body": b""}
        return message


def build(environ: Mapping[str, str], registry: CollectorRegistry) -> list[Middleware]:
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
        Middleware(ResponseMiddleware, registry),
    ]
