"""What the api is told by its environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from api.gateway.settings import GatewaySettingsError as GatewayError
from api.gateway.settings import Settings as GatewaySettings
from store.postgres import connections as postgres_connections

_MIN_SESSION_POLL_SECONDS = 30


class SettingsError(Exception):
    """The environment lacks something, or says something that cannot be; the message is for whoever starts us."""


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str = field(repr=False)
    bootstrap_token: str = field(repr=False)
    """The bootstrap token: all sessions, all scopes."""
    pool_size: int
    """How many questions PostgreSQL is asked at the same time."""
    max_file_bytes: int
    """The largest file that is sent."""
    gateway: GatewaySettings | None = field(default=None, repr=False)
    """None: there is no gateway, and nothing can be sent."""
    session_poll_seconds: int = 0
    """How long to wait between two looks at the gateway's session; 0: it is not watched."""
    direct_database_url: str = field(default="", repr=False)
    """The same database without a pooler before it."""
    replica_url: str | None = field(default=None, repr=False)
    """A replica that may answer what only reads; None: there is none."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Raises SettingsError."""
        token = environ.get("API_TOKEN", "").strip()
        if not token:
            raise SettingsError("API_TOKEN is not set: it is the token that callers of the API must bear.")
        try:
            database_url = postgres_connections.url(environ)
            direct_url, read_url = postgres_connections.direct_url(environ), postgres_connections.replica_url(environ)
        except postgres_connections.DatabaseUrlError as error:
            raise SettingsError(str(error)) from error
        try:
            sak = GatewaySettings.from_environ(environ)
        except GatewayError as error:
            raise SettingsError(f"{error}.") from error
        watch_seconds = bounded_int(environ, "SAK_WATCH_SECONDS", 0, 0, 86_400)
        if 0 < watch_seconds < _MIN_SESSION_POLL_SECONDS:
            raise SettingsError(
                f"SAK_WATCH_SECONDS must be 0 or at least {_MIN_SESSION_POLL_SECONDS}: SAK limits its request rate."
            )
        return cls(
            database_url,
            token,
            bounded_int(environ, "API_CONNECTIONS", 8, 1, 200),
            bounded_int(environ, "SEND_MAX_FILE_BYTES", 64 << 20, 1, 2 << 30),
            sak,
            watch_seconds,
            direct_url,
            read_url,
        )


def bounded_int(environ: Mapping[str, str], name: str, default: int, minimum: int, maximum: int) -> int:
    """A whole number within bounds; raises SettingsError."""
    value = environ.get(name) or str(default)
    if not (value.isascii() and value.isdigit()) or not minimum <= int(value) <= maximum:
        raise SettingsError(f"{name} must be a whole number from {minimum} to {maximum}, not {value!r}.")
    return int(value)
