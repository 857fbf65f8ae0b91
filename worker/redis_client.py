"""How the worker reaches Redis."""

from typing import Any
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from worker.settings import SettingsError

TIMEOUT_SECONDS = 5.0
"""Longest wait for a connection or a reply; above every time that we let a command block."""
SENTINEL_PORT = 26379


def connect(url: str) -> Redis:
    """A client of the Redis that the URL names, not spoken to yet; raises SettingsError for any other URL.

    It repeats nothing by itself: redis-py would send whole pipelines again, and an enqueued hint would become eleven.
    """
    options: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "socket_timeout": TIMEOUT_SECONDS,
        "client_name": "sak-worker",
        "protocol": 2,
    }
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"redis+sentinel", "rediss+sentinel"}:
            return Redis.from_url(url, **options)  # pyright: ignore[reportUnknownMemberType] - **kwargs
        credentials, _, hosts = parts.netloc.rpartition("@")
        user, _, password = credentials.partition(":")
        name, _, db = parts.path.strip("/").partition("/")
        sentinels = [urlsplit(f"//{host}") for host in hosts.split(",")]
        manager = Sentinel(
            [(at.hostname or "localhost", at.port or SENTINEL_PORT) for at in sentinels],
            sentinel_kwargs={name: options[name] for name in ("retry", "protocol")}
            | {"socket_connect_timeout": 1.0, "socket_timeout": 1.0},
        )
        if name and hosts:
            return manager.master_for(  # pyright: ignore[reportUnknownMemberType] - **kwargs
                unquote(name),
                db=int(db or 0),
                username=unquote(user) or None,
                password=unquote(password) or None,
                ssl=parts.scheme == "rediss+sentinel",
                **options,
            )
    except ValueError:
        pass  # not chained below: the message of urllib or redis-py may quote the URL, which may hold a password
    raise SettingsError(
        "REDIS_URL must look like redis://host:port/db, rediss://…, unix:///path?db=0 "
        "or redis+sentinel://host:port,host:port/name/db."
    )
