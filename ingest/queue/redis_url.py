"""Reads REDIS_URL for both ends of the queue: a server, or the Sentinels that know the primary."""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from redis.connection import parse_url  # pyright: ignore[reportUnknownVariableType] - untyped

from telemetry.errors import SettingsError

SENTINEL_PORT = 26379


class RedisUrlError(SettingsError):
    """REDIS_URL names no Redis. The message never quotes the URL, which may hold a password."""

    def __init__(self) -> None:
        super().__init__(
            "REDIS_URL must look like redis://host:port/db, rediss://…, unix:///path?db=0 "
            "or redis+sentinel://host:port,host:port/name/db."
        )


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """The Sentinels to ask, and how to log in to the primary that they name."""

    addresses: tuple[tuple[str, int], ...]
    service_name: str
    db: int
    username: str | None
    password: str | None = field(repr=False)
    ssl: bool

    def connection_options(self) -> dict[str, object]:
        """Keyword arguments for a connection to the primary."""
        return {"db": self.db, "username": self.username, "password": self.password, "ssl": self.ssl}


def parse(url: str) -> SentinelUrl | None:
    """The Sentinels that the URL names; None for a URL that redis-py accepts as it is. Raises RedisUrlError."""
    try:
        parts = urlsplit(url)
        if parts.scheme in {"redis+sentinel", "rediss+sentinel"}:
            return _parse_sentinel_url(parts)
        parse_url(url)  # the schemes and options that redis-py accepts
    except ValueError:
        raise RedisUrlError from None  # not chained: the message of urllib or redis-py may quote the URL
    return None


def _parse_sentinel_url(parts: SplitResult) -> SentinelUrl:
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    service_name, _, db = parts.path.strip("/").partition("/")
    if not service_name or not hosts:
        raise ValueError
    addresses = [urlsplit(f"//{host}") for host in hosts.split(",")]
    return SentinelUrl(
        addresses=tuple((address.hostname or "localhost", address.port or SENTINEL_PORT) for address in addresses),
        service_name=unquote(service_name),
        db=int(db or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
        ssl=parts.scheme == "rediss+sentinel",
    )
