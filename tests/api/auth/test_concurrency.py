"""Tests that a caller with many concurrent requests waits for its own requests, and does not delay other callers."""

import asyncio
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import LiteralString

import psycopg
import pytest
import requests

from api.auth import concurrency
from api.auth.concurrency import ConcurrencyLimiter
from api.http.errors import ApiError
from store.access import tokens
from store.postgres import connections
from store.reading.search import search
from tests.support.history.history_writer import SENDER_PHONE, ApiClient, HistoryWriter, message_fact


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


@dataclass(frozen=True)
class Flood:
    """Requests that wait while a table is locked, and how many of them a token may have at a time."""

    method: str
    path: str
    table: LiteralString
    share: int
    body: object = None


@pytest.mark.parametrize(
    "flood",
    [
        Flood("GET", "/api/chats", "chats", 4),
        Flood("GET", "/api/stats", "whatsapp_messages", 2),
        Flood("GET", "/api/search?q=hello", "search_index", 2),
        Flood("POST", f"/api/chats/{SENDER_PHONE}/star", "chats", 4, {"message_id": "M1"}),
        Flood("DELETE", "/api/push", "push_subscriptions", 4, {"endpoint": "https://push.example/x"}),
    ],
    ids=lambda flood: f"{flood.method} {flood.path}",
)
def test_a_token_whose_requests_wait_for_postgresql_leaves_the_threads_to_others(
    client: ApiClient, history: HistoryWriter, monkeypatch: pytest.MonkeyPatch, flood: Flood
) -> None:
    """API_CONNECTIONS is 8. Half of them, or a quarter for expensive requests, is the share of a token."""
    monkeypatch.setattr(concurrency, "MAX_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(search, "_STATEMENT_TIMEOUT", "15s")
    history.store(message_fact(id="M1"))
    with connections.open(history.database_url, "test") as connection:
        headers = {"authorization": f"Bearer {tokens.create(connection, 'greedy', ['read', 'write'])}"}

    def ask(_: int) -> requests.Response:
        url = client.url + flood.path
        return requests.request(flood.method, url, json=flood.body, headers=headers, timeout=30)

    with ThreadPoolExecutor(12) as threads:
        with psycopg.connect(history.database_url) as blocker:
            blocker.execute(f"LOCK TABLE {flood.table}")
            answers = as_completed([threads.submit(ask, number) for number in range(12)])
            refused = [next(answers).result() for _ in range(12 - flood.share)]
            other = client.get("/api/tokens")
        served = [future.result() for future in answers]

    assert {(one.status_code, one.json()["code"]) for one in refused} == {(503, "too_many_requests_at_once")}
    assert {one.headers["retry-after"] for one in refused} == {"2"}
    assert other.status_code == 200
    assert [one.status_code for one in served] == [200] * flood.share
