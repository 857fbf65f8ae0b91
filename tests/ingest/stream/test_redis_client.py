"""Tests that broken connections to Redis raise the same error under every event loop."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import uvloop
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from dev.chaos.faults.fault_proxy import FaultProxy
from ingest.stream import redis_client


async def ask_thrice(line: AbstractConnection) -> None:
    for _ in range(3):
        await line.send_command("PING")
        await line.read_response()


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_writing_to_a_reset_connection_raises_a_redis_error(
    redis_url: str, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """uvloop raises RuntimeError where asyncio does not.

    Ingest used to end itself at every reset, and to answer 500.
    """

    async def write(proxy: FaultProxy) -> None:
        client = redis_client.connect(f"redis://127.0.0.1:{proxy.port}/0")
        line = client.connection_pool.make_connection()
        await line.connect()
        proxy.reset_connections()
        await asyncio.sleep(0.1)
        try:
            with pytest.raises(RedisError):
                await ask_thrice(line)
        finally:
            await line.disconnect()
            await client.aclose()

    with FaultProxy(Path(unquote(urlsplit(redis_url).path))) as proxy, asyncio.Runner(loop_factory=new_loop) as loop:
        loop.run(write(proxy))
