"""Counts responses, adds security headers, and responds with 304 if the client already has the response."""

import hashlib
import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import cors_origins, request_log, responses
from api.http.request_log import RequestLog

_SECURITY_HEADERS = {
    # Only the client may store a response, and must revalidate it.
    "cache-control": "private, no-cache",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "vary": "Authorization, Cookie",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_HSTS = {"strict-transport-security": "max-age=31536000"}
"""https://www.rfc-editor.org/rfc/rfc6797: browsers use TLS for a year, even if a link says http."""
_COUNTED_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"})
_AS_OF_FIELD = b'"as_of":"'
"""The start of the field that is excluded from a page's ETag, because it changes with every transaction. A client with
an older value never marks more messages as read than with the newer one.
"""
_ETAG_DIGITS = 24


class ResponseMiddleware:
    def __init__(self, app: ASGIApp, registry: CollectorRegistry, *, is_behind_tls: bool) -> None:
        self.app = app
        headers = {**_SECURITY_HEADERS, **(_HSTS if is_behind_tls else {})}
        self.security_headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._requests = Counter("sak_api_requests", "Responses.", ["endpoint", "method", "status"], registry=registry)
        self._latency = Histogram(
            "sak_api_response_seconds", "Time until a response began.", ["endpoint"], registry=registry
        )
        self._log = RequestLog()
        self.open_streams = Gauge("sak_api_open_streams", "Open event streams.", registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with request_log.request_context() as request_id:
            response = _OutgoingResponse(self, scope, send, request_id)
            try:
                await self.app(scope, receive, response.send)
            finally:
                if response.is_stream:
                    self.open_streams.dec()

    def record(self, scope: Scope, status: int, seconds: float) -> None:
        endpoint = getattr(scope.get("endpoint"), "__name__", "none")
        method = scope["method"] if scope["method"] in _COUNTED_METHODS else "other"
        self._requests.labels(endpoint, method, str(status)).inc()
        self._latency.labels(endpoint).observe(seconds)
        self._log.log_response(method, endpoint, status, seconds)


class _OutgoingResponse:
    """One response, whose messages are changed on their way to the server."""

    def __init__(self, middleware: ResponseMiddleware, scope: Scope, send: Send, request_id: str) -> None:
        self.is_stream = False
        """True for an event stream, which is open until the client disconnects."""
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
            present = {name for name, _ in message["headers"]}
            message["headers"] += [header for header in self._middleware.security_headers if header[0] not in present]
            headers[request_log.REQUEST_ID_HEADER] = self._request_id
            if self._supports_etag(message["status"], headers):
                self._held_start = message
                return
        elif self._held_start is not None and message["type"] == "http.response.body":
            start, self._held_start = self._held_start, None
            if not message.get("more_body"):
                message = self._apply_etag(start, message)
            await self._send(start)
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
        """Add the ETag. If the client already has the response, change it to 304 without a body."""
        body: bytes = message.get("body", b"")
        tag = _etag(body)
        headers = MutableHeaders(raw=start["headers"])
        headers["etag"] = tag
        if responses.matches_etag(Headers(scope=self._scope), tag):
            start["status"] = 304
            del headers["content-length"]
            del headers["content-type"]
            return {"type": "http.response.body", "body": b""}
        return message


def _etag(body: bytes) -> str:
    # SHA-256, because processors have instructions for it.
    before, field, after = body.rpartition(_AS_OF_FIELD)
    digest = hashlib.sha256(before)
    digest.update(after[after.index(b'"') :] if field else after)
    return f'W/"{digest.hexdigest()[:_ETAG_DIGITS]}"'


def build(environ: Mapping[str, str], registry: CollectorRegistry, *, is_behind_tls: bool) -> list[Middleware]:
    """Return the middleware from outermost to innermost.

    Other sites may read responses only if API_CORS_ORIGINS lists them.

    Raises SettingsError.
    """
    origins = cors_origins.parse(environ.get("API_CORS_ORIGINS", ""))
    cors = [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "Idempotency-Key", "If-None-Match"],
            expose_headers=["ETag", "Retry-After", "X-Request-ID", "Content-Disposition", "Idempotency-Replayed"],
        )
    ]
    return [
        *(cors if origins else []),
        Middleware(GZipMiddleware, minimum_size=1024, compresslevel=4),
        Middleware(ResponseMiddleware, registry, is_behind_tls=is_behind_tls),
    ]
