"""Builds error responses in the JSON format that all processes share, and those of the server itself."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

JSON_CONTENT_TYPE = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    status: int
    code: str
    message: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def body(self) -> bytes:
        return json.dumps({"success": False, "error": self.message, "code": self.code}).encode()

    @property
    def all_headers(self) -> list[tuple[bytes, bytes]]:
        return [JSON_CONTENT_TYPE, (b"content-length", str(len(self.body)).encode()), *self.headers]

    def encode(self, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Return the whole response, for a connection without an application's response."""
        return STATUS_LINE[self.status] + encode_headers((*default_headers, *self.all_headers)) + b"\r\n" + self.body


def encode_headers(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the headers as lines."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


_CLOSE = ((b"connection", b"close"),)

BAD_REQUEST = ErrorResponse(400, "bad_request", "This is not a well-formed HTTP request.", _CLOSE)
REQUEST_TIMEOUT = ErrorResponse(408, "request_timeout", "The request did not arrive in time.", _CLOSE)
HEADERS_TOO_LARGE = ErrorResponse(431, "headers_too_large", "The headers are too large or too many.", _CLOSE)
BUSY = ErrorResponse(
    503, "busy", "Too many unfinished requests: send this one again.", ((b"retry-after", b"1"), *_CLOSE)
)
