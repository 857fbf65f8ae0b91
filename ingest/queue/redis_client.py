"""How ingest reaches Redis: one place that reads REDIS_URL and forbids every resend.

redis-py sends a pipeline again by default when its reply is lost, up to ten times; for an append that is ten copies.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError  # noqa: A004 - redis' own

from ingest.settings import SettingsError

TIMEOUT_SECONDS = 1.0
"""Longest wait for a connection, and for a reply to whoever has no deadline of its own."""
SENTINEL_TIMEOUT_SECONDS = 0.3
"""The same for a Sentinel: the next one must still be asked within the deadline of an acknowledgement."""
SENTINEL_PORT = 26379


def connect(url: str, reply_timeout: float | None = TIMEOUT_SECONDS) -> Redis:
    """A client of the Redis that the URL names, which is not spoken to yet; raises SettingsError for any other URL.

    `reply_seconds` is None for whoever has a deadline of its own around everything it does.
    """
    options: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "socket_timeout": reply_timeout,
        "client_name": "sak-ingest",
        "protocol": 2,
    }
    try:
        parts = urlsplit(url)
        if parts.scheme in {"redis+sentinel", "rediss+sentinel"}:
            client = _sentinel_client(parts, options)
        else:
            pool = ConnectionPool.from_url(url, **options)  # pyright: ignore[reportUnknownMemberType] - **kwargs
            client = Redis.from_pool(pool)
    except ValueError:
        # Not chained: the message of urllib or redis-py may quote the URL, which may hold a password.
        raise SettingsError(
            "REDIS_URL must look like redis://host:port/db, rediss://…, unix:///path?db=0 "
            "or redis+sentinel://host:port,host:port/name/db."
        ) from None
    pool = client.connection_pool
    pool.connection_class = type("Connection", (_ResetTranslatingConnection, pool.connection_class), {})
    return client


class _ResetTranslatingConnection(AbstractConnection):
    """Tells of a connection that was reset in the way that everybody expects.

    Where asyncio drops what is written to a closed transport, uvloop raises RuntimeError, which redis-py lets through.
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


def _sentinel_client(parts: SplitResult, options: dict[str, Any]) -> Redis:
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    name, _, db = parts.path.strip("/").partition("/")
    if not name or not hosts:
        raise ValueError
    sentinels: list[tuple[str, int]] = []
    for host in hosts.split(","):
        address = urlsplit(f"//{host}")
        sentinels.append((address.hostname or "localhost", address.port or SENTINEL_PORT))
    waits = {"socket_connect_timeout": SENTINEL_TIMEOUT_SECONDS, "socket_timeout": SENTINEL_TIMEOUT_SECONDS}
    manager = Sentinel(sentinels, sentinel_kwargs={"retry": options["retry"], "protocol": 2, **waits})
    return manager.master_for(  # pyright: ignore[reportUnknownMemberType] - **kwargs
        unquote(name),
        db=int(db or 0),
        username=unquote(user) or None,
        password=unquote(password) or None,
        ssl=parts.scheme == "rediss+sentinel",
        **options,
    )
