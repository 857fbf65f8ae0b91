"""Routes each webhook to its endpoint by the path, without a task if it is an ordinary one."""

from dataclasses import dataclass

from starlette.routing import Route
from uvicorn._types import HTTPScope

from http_server.direct_endpoint import Respond
from ingest.http.senders import SendersEndpoint
from ingest.http.webhook import WebhookEndpoint

SAK_PATHS = frozenset({"/whatsapp-webhook", "/whatsapp-webhook/"})
"""The paths to which SAK posts. It sends once and follows no redirect."""
SENDERS_PREFIX = "/webhooks/"
"""The path to which the senders of senders.toml post."""


@dataclass(frozen=True, slots=True)
class WebhookPaths:
    """The direct endpoint of ingest (`http_server/direct_endpoint.py`)."""

    sak: WebhookEndpoint
    senders: SendersEndpoint

    @property
    def routes(self) -> list[Route]:
        """The routes for all webhooks that `serve` leaves to Starlette."""
        senders = SENDERS_PREFIX + "{name}"
        return [
            *(Route(path, self.sak) for path in sorted(SAK_PATHS)),
            Route(senders, self.senders),
            Route(senders + "/{_:path}", self.senders),  # Evolution may append the event's name
        ]

    def serve(self, scope: HTTPScope, body: bytes, respond: Respond) -> bool:
        path = scope["path"]
        if path in SAK_PATHS:
            return self.sak.serve(scope, body, respond)
        if path.startswith(SENDERS_PREFIX):
            return self.senders.serve(path.removeprefix(SENDERS_PREFIX).partition("/")[0], scope, body, respond)
        return False
