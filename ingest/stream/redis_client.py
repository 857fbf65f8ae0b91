"""Connects ingest to Redis without automatic resending.

By default, redis-py resends a pipeline up to ten times if its reply is lost, so an append would become ten entries.
"""

from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError  # noqa: A004 - redis' own

from ingest.queue import redis_url

TIMEOUT_SECONDS = 1.0
"""The longest time in seconds to wait for a connection, and for a reply if the caller has no deadline of its own."""
SENTINEL_TIMEOUT_SECONDS = 0.3
"""The longest time in seconds to wait for a Sentinel, so that there is time for the next one within the deadline of an
acknowledgement.
"""


def connect(url: str, reply_timeout: float | None = TIMEOUT_SECONDS) -> Redis:
    """Return a client of the Redis named by the URL, which connects on first use. Raises SettingsError.

    `reply_timeout` is None for a caller that has its own deadline around all calls.
    """
    options: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "socket_timeout": reply_timeout,
        "client_name": "sak-ingest",
        "protocol": 2,
    }
    sentinels = redis_url.parse(url)
    if sentinels is None:
        pool = ConnectionPool.from_url(url, **options)  # pyright: ignore[reportUnknownMemberType] - **kwargs
        client = Redis.from_pool(pool)
    else:
        timeouts = {"socket_connect_timeout": SENTINEL_TIMEOUT_SECONDS, "socket_timeout": SENTINEL_TIMEOUT_SECONDS}
        sentinel = Sentinel(
            sentinels.addresses,
            sentinel_kwargs={"retry": options["retry"], "protocol": 2, **timeouts, **sentinels.sentinel_options()},
        )
        client = sentinel.master_for(  # pyright: ignore[reportUnknownMemberType] - **kwargs
            sentinels.service_name, **sentinels.connection_options(), **options
        )
    pool = client.connection_pool
    pool.connection_class = type("Connection", (_ResetTranslatingConnection, pool.connection_class), {})
    return client


class _ResetTranslatingConnection(AbstractConnection):
    """A connection whose reset is reported as redis-py's ConnectionError.

    If data is written to a closed transport, asyncio drops it, but uvloop raises RuntimeError, which redis-py does not
    translate.
    """

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002 - redis-py's signature
    ) -> None:
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            raise ConnectionError("The connection was reset.") from error
