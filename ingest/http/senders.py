"""Serves `/webhooks/NAME`: finds the sender and answers Meta's handshake."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn._types import HTTPScope

from http_server.direct_endpoint import Respond
from http_server.error_responses import ErrorResponse
from ingest import responses
from ingest.batcher import Batcher
from ingest.counters import Counters
from ingest.http.webhook import WebhookEndpoint
from ingest.quarantine.quarantine import Quarantine
from ingest.signing.verifiers import KnownSender, Verifiers

MAX_CHALLENGE_LENGTH = 256
_NO_SNIFFING = {"x-content-type-options": "nosniff"}
"""The header that keeps browsers from displaying the challenge, which is a stranger's text, as a page."""


@dataclass(slots=True)
class SendersEndpoint:
    """The endpoint for all senders except SAK at /whatsapp-webhook. An instance is an ASGI application."""

    verifiers: Verifiers
    quarantine: Quarantine
    batcher: Batcher
    counters: Counters
    max_body_bytes: int
    _senders: Mapping[str, KnownSender] = field(default_factory=dict[str, KnownSender])
    _endpoints: Mapping[str, WebhookEndpoint] = field(default_factory=dict[str, WebhookEndpoint])
    """The endpoints of these senders, by name."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name: str = scope["path_params"]["name"]
        endpoint = self._find(name)
        if endpoint is None:
            await self._refuse(responses.UNKNOWN_SENDER, send)
        elif scope["method"] == "GET" and self._senders[name].has_handshake:
            await self._shake_hands(self._senders[name], scope, receive, send)
        else:
            await endpoint(scope, receive, send)

    def serve(self, name: str, scope: HTTPScope, body: bytes, respond: Respond) -> bool:
        """Serve a webhook of the sender that can be verified. Return False to leave any other request to `__call__`."""
        endpoint = self._find(name)
        return endpoint is not None and endpoint.serve(scope, body, respond)

    def _find(self, name: str) -> WebhookEndpoint | None:
        """Return the endpoint of the sender of this name, or None if there is no such sender."""
        if self._senders is not self.verifiers.by_name:  # replaced when senders.toml has changed
            self._senders = self.verifiers.by_name
            self._endpoints = {each: self._make_endpoint(sender) for each, sender in self._senders.items()}
        return self._endpoints.get(name)

    def _make_endpoint(self, sender: KnownSender) -> WebhookEndpoint:
        return WebhookEndpoint(
            sender.id,
            sender.verifier,
            responses.BAD_CREDENTIALS,
            self.quarantine,
            self.batcher,
            self.counters,
            self.max_body_bytes,
        )

    async def _shake_hands(self, sender: KnownSender, scope: Scope, receive: Receive, send: Send) -> None:
        """Return the challenge if the request contains the sender's token."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        mode, token, challenge = (query.get(f"hub.{name}", [""])[0] for name in ("mode", "verify_token", "challenge"))
        expected = sender.verify_token or ""
        is_right = hmac.compare_digest(token.encode(), expected.encode()) and bool(expected)
        if mode != "subscribe" or not is_right or not 0 < len(challenge) <= MAX_CHALLENGE_LENGTH:
            await self._refuse(responses.BAD_VERIFY_TOKEN, send)
            return
        await PlainTextResponse(challenge, HTTPStatus.OK, _NO_SNIFFING)(scope, receive, send)

    async def _refuse(self, error: ErrorResponse, send: Send) -> None:
        self.counters.count_refusal(error.code)
        await responses.send_error(send, error)
