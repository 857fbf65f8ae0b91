"""Defines endpoints that respond without an asyncio task, because a task would cost more than most of their work."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from uvicorn._types import HTTPScope

Respond: TypeAlias = Callable[[int, bytes, bytes], None]
"""Sends the whole response to a request, given its status, encoded headers and body."""
MAX_DIRECT_BODY_BYTES = 64 << 10
"""The size limit of requests that are offered. Work on larger ones must give way to other connections."""


class DirectEndpoint(Protocol):
    """An endpoint that receives every complete request before the ASGI application."""

    def serve(self, scope: HTTPScope, body: bytes, respond: Respond) -> bool:
        """Serve the request by calling `respond` now or later.

        Return False to leave it to the ASGI application.
        """
        ...
