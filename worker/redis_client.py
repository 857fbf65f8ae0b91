"""Connects the worker to Redis without automatic resending."""

from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from ingest.queue import redis_url

TIMEOUT_SECONDS = 5.0
"""The longest time in seconds to wait for a connection or a reply. It is longer than any command of ours blocks."""
SENTINEL_TIMEOUT_SECONDS = 1.0


def connect(url: str) -> Redis:
    """Return a client of the Redis named by the URL, which connects on first use. Raises SettingsError.

    redis-py would resend whole pipelines after a lost reply, and one drain job would become eleven.
    """
    options: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "socket_timeout": TIMEOUT_SECONDS,
        "client_name": "sak-worker",
        "protocol": 2,
    }
    sentinel_url = redis_url.parse(url)
    if sentinel_url is None:
        return Redis.from_url(url, **options)  # pyright: ignore[reportUnknownMemberType] - **kwargs
    timeouts = {"socket_connect_timeout": SENTINEL_TIMEOUT_SECONDS, "socket_timeout": SENTINEL_TIMEOUT_SECONDS}
    sentinel = Sentinel(
        sentinel_url.addresses,
        sentinel_kwargs={"retry": options["retry"], "protocol": 2, **timeouts, **sentinel_url.sentinel_options()},
    )
    return sentinel.master_for(  # pyright: ignore[reportUnknownMemberType] - **kwargs
        sentinel_url.service_name, **sentinel_url.connection_options(), **options
    )
