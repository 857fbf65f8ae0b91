"""Computes a public page once for all clients that are waiting for it."""

import asyncio
import copy
import functools
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

_PAUSE_SHARE = 10
"""The pause between two calls as a multiple of the first one's duration, so that they take a small share of the time.
"""
MAX_PAUSE_SECONDS = 0.1


def shared(page: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint, limited to one call at a time.

    All requests that arrive before a call starts get its response, so a response is never older than its request. Many
    clients without a credential then cost only one call, and delay neither other requests nor a probe.
    """
    turn = asyncio.Lock()
    waiting: asyncio.Task[Response] | None = None
    pause = ended = 0.0

    async def call(request: Request) -> Response:
        nonlocal waiting, pause, ended
        async with turn:
            await asyncio.sleep(ended + pause - time.monotonic())
            waiting = None
            begun = time.monotonic()
            response = await page(request)
            ended = time.monotonic()
            pause = min(_PAUSE_SHARE * (ended - begun), MAX_PAUSE_SECONDS)
            return response

    @functools.wraps(page)
    async def endpoint(request: Request) -> Response:
        nonlocal waiting
        if waiting is None:
            waiting = asyncio.create_task(call(request))
        response = copy.copy(await asyncio.shield(waiting))
        response.raw_headers = list(response.raw_headers)  # a list of its own, because middleware changes it
        return response

    return endpoint
