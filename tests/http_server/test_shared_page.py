"""Tests pages that strangers may request as often as they like."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from http_server.shared_page import shared


def test_a_page_is_computed_once_at_a_time_for_all_who_wait() -> None:
    """Hundreds of requests for /metrics at once delayed webhooks. A response is never older than its request."""
    running: list[int] = []
    is_open = asyncio.Event()

    async def page(_: Request) -> Response:
        running.append(running[-1] + 1 if running else 1)
        await is_open.wait()
        running.append(running[-1] - 1)
        return Response(f"{len(running)}")

    async def ask() -> list[bytes]:
        endpoint = shared(page)
        asked: list[asyncio.Future[Response]] = []
        for count in (1, 50, 50):
            asked += [asyncio.ensure_future(endpoint(Request({"type": "http"}))) for _ in range(count)]
            await asyncio.sleep(0.05)
        is_open.set()
        return [bytes((await each).body) for each in asked]

    answers = asyncio.run(ask())

    assert running == [1, 0, 1, 0]
    assert answers == [b"2"] + [b"4"] * 100
