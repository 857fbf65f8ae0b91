"""Ingest's answers as ASGI messages, built once where possible."""

import functools
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

AsgiMessage: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[AsgiMessage], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

JSON_CONTENT_TYPE = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A refusal in the JSON envelope that every process's HTTP shares; it acknowledges nothing."""

    status: int
    code: str
    message: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def body(self) -> bytes:
        return json.dumps({"success": False, "error": self.message, "code": self.code}).encode()


BAD_SIGNATURE = ErrorResponse(401, "bad_signature", "The X-Webhook-Signature header does not sign this body.")
NOT_FOUND = ErrorResponse(404, "not_found", "Not found: webhooks go to POST /whatsapp-webhook.")
METHOD_NOT_ALLOWED = ErrorResponse(
    405, "method_not_allowed", "This address accepts POST only.", ((b"allow", b"POST, OPTIONS"),)
)
REQUEST_TIMEOUT = ErrorResponse(
    408, "request_timeout", "The request did not arrive in time.", ((b"connection", b"close"),)
)
BODY_TOO_LARGE = ErrorResponse(413, "body_too_large", "The body is larger than MAX_BODY_BYTES.")
UNSUPPORTED_ENCODING = ErrorResponse(415, "content_encoding", "The body must come without Content-Encoding.")
HEADERS_TOO_LARGE = ErrorResponse(431, "headers_too_large", "The headers are too large.", ((b"connection", b"close"),))
BAD_REQUEST = ErrorResponse(400, "bad_request", "This is not a well-formed HTTP request.", ((b"connection", b"close"),))
NOT_KEPT = ErrorResponse(
    503, "not_kept", "The event could be stored neither in Redis nor in the spool.", ((b"retry-after", b"1"),)
)
OVERLOADED = ErrorResponse(503, "overloaded", "Too many events are waiting to be stored.", ((b"retry-after", b"1"),))
INTERNAL_ERROR = ErrorResponse(500, "internal", "Internal error; the event was not acknowledged.")


def response_headers(error: ErrorResponse) -> Headers:
    """All headers of the refusal."""
    return [JSON_CONTENT_TYPE, (b"content-length", str(len(error.body)).encode()), *error.headers]


async def send_error(send: Send, error: ErrorResponse) -> None:
    """Send the refusal."""
    await send({"type": "http.response.start", "status": error.status, "headers": response_headers(error)})
    await send({"type": "http.response.body", "body": error.body})


class BatchAcknowledgement:
    """The answers to one batch's events, which differ only in the event's index."""

    __slots__ = ("_head",)

    def __init__(self, batch: str, via: str) -> None:
        fields = {"success": True, "accepted": True, "batch": batch, "path": via}
        self._head = json.dumps(fields, separators=(",", ":"))[:-1].encode() + b',"index":'

    def response(self, index: int) -> tuple[AsgiMessage, AsgiMessage]:
        """The two ASGI messages that acknowledge the event at this index of the batch."""
        body = b"%b%d}" % (self._head, index)
        return _response_start(len(body)), {"type": "http.response.body", "body": body}


@functools.cache  # a handful of lengths
def _response_start(length: int) -> AsgiMessage:
    fields: Headers = [JSON_CONTENT_TYPE, (b"content-length", str(length).encode())]
    return {"type": "http.response.start", "status": 200, "headers": fields}
