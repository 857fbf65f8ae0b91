"""Serves the webhooks of one sender: verifies, stores and acknowledges.

It never parses the body. Any signed body is acknowledged with 2xx, because SAK does not retry a refused one. It is a
raw ASGI endpoint, because it has all the load.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope, Send
from uvicorn._types import HTTPScope

from http_server.direct_endpoint import Respond
from http_server.error_responses import ErrorResponse
from ingest import responses
from ingest.batcher import Batcher, PendingBatch
from ingest.counters import Counters
from ingest.quarantine.quarantine import Quarantine
from ingest.signing.signature import BodyDigest, Credentials, Verifier

MAX_READ_BYTES = 64 << 20
"""The number of bytes of a body over the limit that are read, in parts, to find out whether it is signed."""
STALL_SECONDS = 1.0
"""The time in seconds for the next part of a body over the limit, after which it is refused without reading the rest.
"""
UNVERIFIED_CODE = "body_unverified"
"""The code under which refused bodies are counted that were not read completely or that no secret signs."""


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """The endpoint of one sender. An instance is an ASGI application."""

    sender: str
    """`kind:name`, or '' for SAK at /whatsapp-webhook."""
    verifier: Verifier | None
    """None if unsigned webhooks are accepted."""
    refusal: ErrorResponse
    """The response to webhooks that no secret authenticates."""
    quarantine: Quarantine
    """The quarantine for webhooks that no secret authenticates."""
    batcher: Batcher
    counters: Counters
    max_body_bytes: int

    def serve(self, scope: HTTPScope, body: bytes, respond: Respond) -> bool:
        """Serve a webhook that can be verified. Return False to leave any other request to `__call__`."""
        credentials, refusal, _ = self._read_headers(scope["headers"])
        if scope["method"] != "POST" or refusal is not None or len(body) > self.max_body_bytes:
            return False
        pending = self._add(body, credentials)
        if isinstance(pending, ErrorResponse):
            self.counters.count_refusal(pending.code)
            responses.respond_error(respond, pending)
        else:
            pending.direct_requests.append((len(pending.bodies) - 1, respond))
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await self._answer_other_method(scope["method"], send)
            return
        credentials, refusal, announced = self._read_headers(scope["headers"])
        if refusal is not None:
            # The body is not read, because it would be discarded.
            await self._send_error(refusal, send)
            return
        if announced > self.max_body_bytes:
            await self._refuse_oversized(b"", announced, credentials, receive, send)
            return
        await self._read_and_verify(credentials, receive, send)

    def _read_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[Credentials, ErrorResponse | None, int]:
        """Return the credentials, a reason to refuse the request or None, and its content length."""
        credentials: dict[bytes, bytes] = {}
        known = frozenset[bytes]() if self.verifier is None else self.verifier.headers
        refusal: ErrorResponse | None = None
        announced = 0
        for name, value in headers:
            if name in known:
                # Two signatures count as none, because a proxy in front may have checked either.
                credentials[name] = b"" if name in credentials else value
            elif name == b"content-length":
                announced = int(value)
            elif (name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}) or (
                name == b"transfer-encoding" and value.strip().lower() != b"chunked"
            ):
                refusal = responses.UNSUPPORTED_ENCODING
        if not credentials and self.verifier is not None:
            refusal = self.refusal
        return credentials, refusal, announced

    async def _read_and_verify(self, credentials: Credentials, receive: Receive, send: Send) -> None:
        message = await receive()
        if message.get("more_body"):
            message = await self._read_body(message, receive)
        if message["type"] == "http.disconnect":
            return
        body = message["body"]
        if len(body) > self.max_body_bytes:
            more: bool = message["more_body"]
            await self._refuse_oversized(body, len(body), credentials, receive if more else None, send)
        else:
            pending = self._add(body, credentials)
            if isinstance(pending, ErrorResponse):
                await self._send_error(pending, send)
            else:
                await self._acknowledge(pending, send)

    def _add(self, body: bytes, credentials: Credentials) -> PendingBatch | ErrorResponse:
        """Verify the webhook and add it to a batch, as its newest event. Return the batch or the refusal."""
        if self.verifier is not None and not self.verifier.verify(body, credentials, time.time()):
            self.quarantine.offer(self.sender, body, credentials)
            return self.refusal
        return self.batcher.add(body, self.sender) or responses.OVERLOADED

    async def _acknowledge(self, pending: PendingBatch, send: Send) -> None:
        """Answer the request of the batch's newest event once the batch is stored."""
        index = len(pending.bodies) - 1
        # There is one future for the whole batch. Cancelling one request would cancel all, but that happens only at
        # shutdown.
        acknowledgement = await pending.acknowledgement
        if acknowledgement is None:
            await self._send_error(responses.NOT_KEPT, send)
        else:
            await acknowledgement.send(index, send)

    async def _read_body(self, message: Message, receive: Receive) -> Message:
        """Return the message with the whole body, or with its first part if the body is too large."""
        # `pop`, so that nothing else refers to the last part while the next one is awaited.
        body = bytearray(message.pop("body"))
        while len(body) <= self.max_body_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                return message
            body += message.pop("body")
            if not message["more_body"]:
                return {"type": "http.request", "body": bytes(body), "more_body": False}
        return {"type": "http.request", "body": bytes(body), "more_body": True}

    async def _refuse_oversized(
        self, first: bytes, announced: int, credentials: Credentials, receive: Receive | None, send: Send
    ) -> None:
        """Answer 413. `receive` is None if `first` is the whole body.

        A signed body that is refused is a lost event. It is therefore read to its end, without keeping it, and counted
        apart from unsigned bodies.
        """
        digest = None if self.verifier is None else self.verifier.begin()
        size = await self._read_oversized(first, announced, digest, receive)
        if size and (digest is None or digest.matches(credentials, time.time())):
            self.counters.count_refusal(responses.BODY_TOO_LARGE.code)
            self.counters.largest_refused_body = max(self.counters.largest_refused_body, size)
        else:
            self.counters.count_refusal(UNVERIFIED_CODE)
        await responses.send_error(send, responses.BODY_TOO_LARGE)

    async def _read_oversized(
        self, first: bytes, announced: int, digest: BodyDigest | None, receive: Receive | None
    ) -> int:
        """Return the size of the body after digesting it to its end, or 0 if it is too large, slow or incomplete."""
        size = len(first)
        if digest is not None:
            digest.update(first)
        while receive is not None:
            if max(size, announced) > MAX_READ_BYTES:
                return 0
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    message = await receive()
            except TimeoutError:
                return 0
            if message["type"] == "http.disconnect":
                return 0
            size += len(message["body"])
            if digest is not None:
                digest.update(message["body"])
            if not message["more_body"]:
                break
        return size

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
