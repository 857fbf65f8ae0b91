"""Tests that a caller with many concurrent requests waits for its own requests, and does not delay other callers."""

import asyncio

import pytest

from api.auth import concurrency
from api.auth.concurrency import ConcurrencyLimiter
from api.http.errors import ApiError


def test_a_caller_above_its_share_is_refused_and_another_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise, one slow client could occupy every thread."""
    monkeypatch.setattr(concurrency, "MAX_WAIT_SECONDS", 0.05)
    limiter = ConcurrencyLimiter(2)

    async def scenario() -> ApiError:
        async with limiter.slot("greedy"), limiter.slot("greedy"):
            with pytest.raises(ApiError) as refused:
                async with limiter.slot("greedy"):
                    pytest.fail("a third request was served")
            async with limiter.slot("modest"):
                pass
        async with limiter.slot("greedy"):
            return refused.value

    refused = asyncio.run(scenario())

    assert (refused.status, refused.headers) == (503, {"retry-after": "2"})


def test_a_request_above_the_share_is_served_when_another_has_finished() -> None:
    limiter = ConcurrencyLimiter(1)
    order: list[str] = []

    async def serve(name: str) -> None:
        async with limiter.slot("caller"):
            order.append(name)
            await asyncio.sleep(0)

    async def scenario() -> None:
        await asyncio.gather(serve("first"), serve("second"), serve("third"))

    asyncio.run(scenario())

    assert order == ["first", "second", "third"]
