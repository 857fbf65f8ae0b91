"""What ingest answers, as ASGI messages that are made once where that is possible."""

import functools
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that acknowledges nothing, in the envelope that all of our HTTP shares."""

    status: int
    code: str
    sentence: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def body(self) -> bytes:
        return json.dumps({"success": False, "error": self.sentence, "code": self.code}).encode()


BAD_SIGNATURE = Refusal(401, "bad_signature", "The X-Webhook-Signature header does not sign this body.")
NOT_FOUND = Refusal(404, "not_found", "There is nothing here: webhooks go to POST /whatsapp-webhook.")
WRONG_METHOD = Refusal(405, "method_not_allowed", "This address takes another method.", ((b"allow", b"POST, OPTIONS"),))
TOO_SLOW = Refusal(408, "request_timeout", "The request did not arrive in time.", ((b"connection", b"close"),))
TOO_LARGE = Refusal(413, "body_too_large", "The body is larger than this server takes.")
ENCODED = Refusal(415, "content_encoding", "The body must come without Content-Encoding.")
HEAD_TOO_LARGE = Refusal(431, "headers_too_large", "The headers are too large.", ((b"connection", b"close"),))
MALFORMED = Refusal(400, "bad_request", "This is not a well-formed HTTP request.", ((b"connection", b"close"),))
NOT_KEPT = Refusal(
    503, "not_kept", "The event could be kept neither in Redis nor in the spool.", ((b"retry-after", b"1"),)
)
OVERLOADED = Refusal(503, "overloaded", "Too much is waiting to be kept.", ((b"retry-after", b"1"),))
BUG = Refusal(500, "internal", "Something went wrong here; nothing was acknowledged.")


def headers(refusal: Refusal) -> Headers:
    """All of the refusal's headers."""
    return [JSON, (b"content-length", str(len(refusal.body)).encode()), *refusal.headers]


async def refuse(send: Send, refusal: Refusal) -> None:
    """Answer with the refusal."""
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers(refusal)})
    await send({"type": "http.response.body", "body": refusal.body})


class Acknowledgements:
    """The answers to one batch: they differ only in the event's place in it."""

    __slots__ = ("_head",)

    def __init__(self, batch: str, path: str) -> None:
        fields = {"success": True, "accepted": True, "batch": batch, "path": path}
        self._head = json.dumps(fields, separators=(",", ":"))[:-1].encode() + b',"index":'

    def answer(self, index: int) -> tuple[Message, Message]:
        """The two messages that acknowledge the event at this place of the batch."""
        body = b"%b%d}" % (self._head, index)
        return _start(len(body)), {"type": "http.response.body", "body": body}


@functools.cache  # a handful of lengths
def _start(length: int) -> Message:
    fields: Headers = [JSON, (b"content-length", str(length).encode())]
    return {"type": "http.response.start", "status": 200, "headers": fields}
