"""Reads REDIS_URL for both ends of the queue: a server, or the Sentinels that know the primary."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.connection import Connection, parse_url  # pyright: ignore[reportUnknownVariableType] - untyped
from redis.exceptions import RedisError

from telemetry.errors import SettingsError

SENTINEL_PORT = 26379
TLS_FILES = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
"""Options of the URL that name a file or folder, for a private certification authority or a client certificate."""
TLS_OPTIONS = (*TLS_FILES, "ssl_cert_reqs", "ssl_check_hostname", "ssl_password")
_POOL_OPTIONS = ("max_connections", "timeout")
"""Options that redis-py takes for the pool rather than for a connection."""


_EXPECTED = (
    "REDIS_URL must look like redis://host:port/db, rediss://…, unix:///path?db=0 "
    "or redis+sentinel://host:port,host:port/name/db, with the options of redis-py after a ?; "
    "a password's own @ : / ? # % are written %40 %3A %2F %3F %23 %25."
)


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """The Sentinels to query, and the login at the primary that they name."""

    addresses: tuple[tuple[str, int], ...]
    service_name: str
    db: int
    username: str | None
    password: str | None = field(repr=False)
    ssl: bool
    tls_options: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    """The options for TLS, which apply to the Sentinels and to the primary."""
    sentinel_ssl: bool | None = None
    """True if the Sentinels use TLS, or None to do as with the primary."""

    def connection_options(self) -> dict[str, object]:
        """Return the keyword arguments for a connection to the primary."""
        credentials = {"db": self.db, "username": self.username, "password": self.password}
        return {**credentials, **self._tls(self.ssl)}

    def sentinel_options(self) -> dict[str, object]:
        """Return the keyword arguments for a connection to a Sentinel."""
        return self._tls(self.ssl if self.sentinel_ssl is None else self.sentinel_ssl)

    def _tls(self, ssl: bool) -> dict[str, object]:  # noqa: FBT001 - one of two fields
        return {"ssl": True, **self.tls_options} if ssl else {"ssl": False}


def parse(url: str) -> SentinelUrl | None:
    """Return the Sentinels in the URL, or None for a URL that redis-py accepts unchanged.

    Raises SettingsError if the URL is invalid or a file of a TLS option cannot be read. The error never quotes the URL,
    which may contain a password.
    """
    if not url:
        raise SettingsError("REDIS_URL is not set: set it to your Redis. The one of ./run is in DATA_DIR/redis-url.")
    # The cause is dropped, because messages of urllib and redis-py may quote the URL.
    try:
        parts = urlsplit(url)
        if parts.scheme in {"redis+sentinel", "rediss+sentinel"}:
            sentinels = _parse_sentinel_url(parts)
            options = sentinels.tls_options
        else:
            sentinels, options = None, _parse_server_url(url, parts)
    except (ValueError, TypeError, RedisError):
        raise SettingsError(_EXPECTED) from None
    for name in TLS_FILES:
        path = options.get(name)
        if path is not None and not os.access(str(path), os.R_OK):
            raise SettingsError(f"REDIS_URL: {name} names a file that cannot be read.")
    return sentinels


def _parse_server_url(url: str, parts: SplitResult) -> Mapping[str, object]:
    """Return the options of the URL.

    Raises ValueError, TypeError or RedisError for an option that redis-py does not have.
    """
    options = cast("dict[str, object]", parse_url(url))
    if parts.scheme != "unix":
        _refuse_bare_delimiters(parts)
        int(parts.path.strip("/") or 0)  # redis-py would use database 0
    make_connection = cast("Callable[..., object]", options.get("connection_class", Connection))
    make_connection(
        **{  # which cannot connect
            name: value for name, value in options.items() if name not in {"connection_class", *_POOL_OPTIONS}
        }
    )
    return options


def _parse_sentinel_url(parts: SplitResult) -> SentinelUrl:
    _refuse_bare_delimiters(parts)
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    service_name, _, db = parts.path.strip("/").partition("/")
    if not service_name or not hosts:
        raise ValueError
    addresses = [urlsplit(f"//{host}") for host in hosts.split(",")]
    options: dict[str, object] = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    sentinel_ssl = options.pop("sentinel_ssl", None)
    if options.keys() - set(TLS_OPTIONS) or (options and parts.scheme == "redis+sentinel"):
        raise ValueError
    if "ssl_check_hostname" in options:
        options["ssl_check_hostname"] = _parse_bool(options["ssl_check_hostname"])
    return SentinelUrl(
        addresses=tuple((address.hostname or "localhost", address.port or SENTINEL_PORT) for address in addresses),
        service_name=unquote(service_name),
        db=int(db or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
        ssl=parts.scheme == "rediss+sentinel",
        tls_options=options,
        sentinel_ssl=None if sentinel_ssl is None else _parse_bool(sentinel_ssl),
    )


def _refuse_bare_delimiters(parts: SplitResult) -> None:
    """Raise ValueError if a password contains #, / or ?, because a part of it would be taken for a host."""
    if parts.fragment or "@" in parts.path or "@" in parts.query:
        raise ValueError


def _parse_bool(value: object) -> bool:
    text = str(value).lower()
    if text not in {"0", "1", "false", "true", "no", "yes"}:
        raise ValueError
    return text in {"1", "true", "yes"}
