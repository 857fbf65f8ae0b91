"""Applies SAK's rate limit: the number of requests that a client may send in a minute, all calls together."""

import math
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dev.gateway import responses

WINDOW_SECONDS = 60.0


class RateLimit:
    """The requests of each client in the current minute. If `per_minute` is None, nothing is limited."""

    def __init__(self, per_minute: int | None) -> None:
        self.per_minute = per_minute
        self._windows: dict[str, tuple[float, int]] = {}

    def count_request(self, address: str) -> dict[str, str] | None:
        """Return the headers for this request, or None if there is no limit.

        `RateLimit-Remaining` is -1 above the limit.
        """
        if self.per_minute is None:
            return None
        now = time.monotonic()
        start, count = self._windows.get(address, (now, 0))
        if now - start >= WINDOW_SECONDS:
            start, count = now, 0
        self._windows[address] = (start, count + 1)
        return {
            "RateLimit-Policy": f"{self.per_minute};w={WINDOW_SECONDS:.0f}",
            "RateLimit-Limit": str(self.per_minute),
            "RateLimit-Remaining": str(max(self.per_minute - count - 1, -1)),
            "RateLimit-Reset": str(math.ceil(start + WINDOW_SECONDS - now)),
        }


class RateLimitMiddleware:
    def __init__(self, app: ASGIApp, limit: RateLimit) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = self.limit.count_request(str((scope.get("client") or ("", 0))[0]))
        if headers is None:
            await self.app(scope, receive, send)
            return
        if headers["RateLimit-Remaining"] == "-1":
            headers |= {"RateLimit-Remaining": "0", "Retry-After": headers["RateLimit-Reset"]}
            refusal = responses.error(429, "RATE_LIMIT_EXCEEDED", "Too many requests, please try again later", headers)
            await refusal(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self.app(scope, receive, send_with_headers)
