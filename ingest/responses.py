"""Builds ingest's responses to ASGI requests and to direct ones, once if possible."""

import functools
import json
from http import HTTPStatus

from starlette.types import Send

from http_server.direct_endpoint import Respond
from http_server.error_responses import JSON_CONTENT_TYPE, ErrorResponse, encode_headers

_ALLOW = ((b"allow", b"POST, OPTIONS"),)
_RETRY = ((b"retry-after", b"1"),)

BAD_SIGNATURE = ErrorResponse(
    401, "bad_signature", "X-Webhook-Signature does not sign this body with any secret of WEBHOOK_SECRETS."
)
BAD_CREDENTIALS = ErrorResponse(401, "bad_signature", "No secret of this sender authenticates the request.")
BAD_VERIFY_TOKEN = ErrorResponse(403, "bad_verify_token", "The handshake lacks the verify_token of this sender.")
UNKNOWN_SENDER = ErrorResponse(404, "unknown_sender", "senders.toml has no sender of this name.")
NOT_FOUND = ErrorResponse(404, "not_found", "Not found: webhooks go to POST /whatsapp-webhook or /webhooks/NAME.")
METHOD_NOT_ALLOWED = ErrorResponse(405, "method_not_allowed", "This address accepts POST only.", _ALLOW)
BODY_TOO_LARGE = ErrorResponse(413, "body_too_large", "The body is larger than MAX_BODY_BYTES.")
UNSUPPORTED_ENCODING = ErrorResponse(415, "content_encoding", "The body must come without Content-Encoding.")
NOT_KEPT = ErrorResponse(503, "not_kept", "The event could be stored neither in Redis nor in the spool.", _RETRY)
OVERLOADED = ErrorResponse(503, "overloaded", "Too many events are waiting to be stored.", _RETRY)
INTERNAL_ERROR = ErrorResponse(500, "internal", "Internal error; the event was not acknowledged.")


def respond_error(respond: Respond, error: ErrorResponse) -> None:
    """Send the error response to a direct request."""
    respond(error.status, encode_headers(error.all_headers), error.body)


async def send_error(send: Send, error: ErrorResponse) -> None:
    await send({"type": "http.response.start", "status": error.status, "headers": error.all_headers})
    await send({"type": "http.response.body", "body": error.body})


class BatchAcknowledgement:
    """The responses to the events of one batch, which differ only in the event's index."""

    __slots__ = ("_head",)

    def __init__(self, batch: str, via: str) -> None:
        fields = {"success": True, "accepted": True, "batch": batch, "path": via}
        self._head = json.dumps(fields, separators=(",", ":"))[:-1].encode() + b',"index":'

    def body(self, index: int) -> bytes:
        """Return the body that acknowledges the event at this index of the batch."""
        return b"%b%d}" % (self._head, index)

    def respond(self, index: int, respond: Respond) -> None:
        """Acknowledge the event at this index to its direct request."""
        body = self.body(index)
        respond(HTTPStatus.OK, _encoded_headers(len(body)), body)

    async def send(self, index: int, send: Send) -> None:
        """Acknowledge the event at this index to its ASGI request."""
        body = self.body(index)
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": _headers(len(body))})
        await send({"type": "http.response.body", "body": body})


def _headers(length: int) -> list[tuple[bytes, bytes]]:
    return [JSON_CONTENT_TYPE, (b"content-length", b"%d" % length)]


@functools.cache  # a handful of lengths
def _encoded_headers(length: int) -> bytes:
    return encode_headers(_headers(length))
