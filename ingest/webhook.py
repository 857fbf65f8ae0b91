"""`POST /whatsapp-webhook`: recognise, keep, answer. A raw ASGI endpoint, because this is where all the load arrives.

It never looks into the body. Whoever knows the secret gets a 2xx whatever the body says: SAK never retries.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from ingest import responses
from ingest.batcher import Batcher
from ingest.counters import Counts
from ingest.responses import Message, Refusal, Send
from ingest.signature import HEADER, Signatures

PATH = "/whatsapp-webhook"

Scope: TypeAlias = Any
Receive: TypeAlias = Callable[[], Awaitable[Message]]


class Webhook:
    """The endpoint; an instance is an ASGI application."""

    def __init__(self, signatures: Signatures | None, batcher: Batcher, counts: Counts, max_body_bytes: int) -> None:
        """`signatures` is None where unsigned webhooks are taken too."""
        self._signatures = signatures
        self._batcher = batcher
        self._counts = counts
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await self._other_method(scope["method"], send)
            return
        signature: bytes | None = None
        refusal: Refusal | None = None
        for name, value in scope["headers"]:
            if name == HEADER:
                # Two signatures are none: which of them a proxy in front of us looked at is anybody's guess.
                signature = value if signature is None else b""
            elif name == b"content-length" and int(value) > self._max_body_bytes:
                refusal = responses.TOO_LARGE
            elif (name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}) or (
                name == b"transfer-encoding" and value.strip().lower() != b"chunked"
            ):
                refusal = responses.ENCODED
        if signature is None and self._signatures:
            refusal = responses.BAD_SIGNATURE
        if refusal is not None:
            # Before the body: what it would hold is nothing that we keep.
            await self._refuse(refusal, send)
            return
        await self._take(signature, receive, send)

    async def _take(self, signature: bytes | None, receive: Receive, send: Send) -> None:
        message = await receive()
        if message.get("more_body"):
            message = await self._whole(message["body"], receive)
        if message["type"] == "http.disconnect":
            return
        body = message["body"]
        if len(body) > self._max_body_bytes:
            await self._refuse(responses.TOO_LARGE, send)
        elif self._signatures and not self._signatures.match(body, signature):
            await self._refuse(responses.BAD_SIGNATURE, send)
        else:
            await self._keep(body, send)

    async def _keep(self, body: bytes, send: Send) -> None:
        pending = self._batcher.add(body)
        if pending is None:
            await self._refuse(responses.OVERLOADED, send)
            return
        index = len(pending.bodies) - 1
        # One future for the whole batch: whoever cancels one request would cancel all, and nobody does before the end.
        acknowledgements = await pending.kept
        if acknowledgements is None:
            await self._refuse(responses.NOT_KEPT, send)
            return
        start, content = acknowledgements.answer(index)
        await send(start)
        await send(content)

    async def _whole(self, first: bytes, receive: Receive) -> Message:
        """The message with all of the body, or with the first part of it that is too large already."""
        body = bytearray(first)
        while len(body) <= self._max_body_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                return message
            body += message["body"]
            if not message["more_body"]:
                break
        return {"type": "http.request", "body": bytes(body)}

    async def _other_method(self, method: str, send: Send) -> None:
        if method == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": list(responses.WRONG_METHOD.headers)})
            await send({"type": "http.response.body"})
        else:
            await self._refuse(responses.WRONG_METHOD, send)

    async def _refuse(self, refusal: Refusal, send: Send) -> None:
        self._counts.refuse(refusal.code)
        await responses.refuse(send, refusal)
