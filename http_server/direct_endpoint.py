"""Requests that an application takes without a task, which would cost more than the work of most of them."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from uvicorn._types import HTTPScope

Respond: TypeAlias = Callable[[int, bytes, bytes], None]
"""Sends the whole response to a request: its status, its encoded headers, its body."""
MAX_BODY_BYTES = 64 << 10
"""Of the requests that are offered: the work for larger ones must give way to other connections."""


class DirectEndpoint(Protocol):
    """Is offered every complete request before the ASGI application."""

    def take(self, scope: HTTPScope, body: bytes, respond: Respond) -> bool:
        """Take the request, to answer it now or later by `respond`; False leaves it to the ASGI application."""
        ...
