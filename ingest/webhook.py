"""Serves `POST /whatsapp-webhook`: verify, store, acknowledge. A raw ASGI endpoint, because it takes all the load.

It never parses the body. Any signed body is acknowledged with 2xx: SAK does not retry a refused one.
"""

from dataclasses import dataclass

from starlette.types import Message, Receive, Scope, Send

from ingest import responses
from ingest.batcher import Batcher
from ingest.counters import Counters
from ingest.responses import ErrorResponse
from ingest.signature import SIGNATURE_HEADER, SignatureVerifier

WEBHOOK_PATH = "/whatsapp-webhook"


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """The endpoint; an instance is an ASGI application."""

    verifier: SignatureVerifier | None
    """None where unsigned webhooks are accepted."""
    batcher: Batcher
    counters: Counters
    max_body_bytes: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await self._answer_other_method(scope["method"], send)
            return
        signature: bytes | None = None
        refusal: ErrorResponse | None = None
        for name, value in scope["headers"]:
            if name == SIGNATURE_HEADER:
                # Two signatures count as none: a proxy in front may have checked either.
                signature = value if signature is None else b""
            elif name == b"content-length" and int(value) > self.max_body_bytes:
                refusal = responses.BODY_TOO_LARGE
            elif (name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}) or (
                name == b"transfer-encoding" and value.strip().lower() != b"chunked"
            ):
                refusal = responses.UNSUPPORTED_ENCODING
        if signature is None and self.verifier:
            refusal = responses.BAD_SIGNATURE
        if refusal is not None:
            # Refuses before reading the body, which would be discarded.
            await self._send_error(refusal, send)
            return
        await self._read_and_verify(signature, receive, send)

    async def _read_and_verify(self, signature: bytes | None, receive: Receive, send: Send) -> None:
        message = await receive()
        if message.get("more_body"):
            message = await self._read_body(message["body"], receive)
        if message["type"] == "http.disconnect":
            return
        body = message["body"]
        if len(body) > self.max_body_bytes:
            await self._send_error(responses.BODY_TOO_LARGE, send)
        elif self.verifier and not self.verifier.verify(body, signature):
            await self._send_error(responses.BAD_SIGNATURE, send)
        else:
            await self._store_and_acknowledge(body, send)

    async def _store_and_acknowledge(self, body: bytes, send: Send) -> None:
        pending = self.batcher.add(body)
        if pending is None:
            await self._send_error(responses.OVERLOADED, send)
            return
        index = len(pending.bodies) - 1
        # One future for the whole batch: cancelling one request would cancel all, and that happens only at shutdown.
        acknowledgements = await pending.acknowledgement
        if acknowledgements is None:
            await self._send_error(responses.NOT_KEPT, send)
            return
        start, content = acknowledgements.response(index)
        await send(start)
        await send(content)

    async def _read_body(self, first: bytes, receive: Receive) -> Message:
        """The message with the whole body, or with its first part once that is too large."""
        body = bytearray(first)
        while len(body) <= self.max_body_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                return message
            body += message["body"]
            if not message["more_body"]:
                break
        return {"type": "http.request", "body": bytes(body)}

    async def _answer_other_method(self, method: str, send: Send) -> None:
        if method == "OPTIONS":
            headers = list(responses.METHOD_NOT_ALLOWED.headers)
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body"})
        else:
            await self._send_error(responses.METHOD_NOT_ALLOWED, send)

    async def _send_error(self, error: ErrorResponse, send: Send) -> None:
        self.counters.count_refusal(error.code)
        await responses.send_error(send, error)
