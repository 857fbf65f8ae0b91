"""What the api is told by its environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from api.gateway.settings import Settings as GatewaySettings
from api.gateway.settings import SettingsError as GatewayError
from store.postgres import connections as postgres_connections

_FRUGAL = 30


class SettingsError(Exception):
    """The environment lacks something, or says something that cannot be; the message is for whoever starts us."""


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str = field(repr=False)
    token: str = field(repr=False)
    """The bootstrap token: all sessions, all scopes."""
    connections: int
    """How many questions PostgreSQL is asked at the same time."""
    file_bytes: int
    """The largest file that is sent."""
    sak: GatewaySettings | None = field(default=None, repr=False)
    """None: there is no gateway, and nothing can be sent."""
    watch_seconds: int = 0
    """How long to wait between two looks at the gateway's session; 0: it is not watched."""
    direct_url: str = field(default="", repr=False)
    """The same database without a pooler before it."""
    read_url: str | None = field(default=None, repr=False)
    """A replica that may answer what only reads; None: there is none."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Raises SettingsError."""
        token = environ.get("API_TOKEN", "").strip()
        if not token:
            raise SettingsError("API_TOKEN is not set: it is the token that callers of the API must bear.")
        try:
            database_url = postgres_connections.url(environ)
            direct_url, read_url = postgres_connections.direct_url(environ), postgres_connections.read_url(environ)
        except postgres_connections.NoDatabaseError as error:
            raise SettingsError(str(error)) from error
        try:
            sak = GatewaySettings.from_environ(environ)
        except GatewayError as error:
            raise SettingsError(f"{error}.") from error
        watch_seconds = whole(environ, "SAK_WATCH_SECONDS", 0, 0, 86_400)
        if 0 < watch_seconds < _FRUGAL:
            raise SettingsError(f"SAK_WATCH_SECONDS must be 0 or at least {_FRUGAL}: SAK limits how often it is asked.")
        return cls(
            database_url,
            token,
            whole(environ, "API_CONNECTIONS", 8, 1, 200),
            whole(environ, "SEND_MAX_FILE_BYTES", 64 << 20, 1, 2 << 30),
            sak,
            watch_seconds,
            direct_url,
            read_url,
        )


def whole(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number within bounds; raises SettingsError."""
    value = environ.get(name) or str(default)
    if not (value.isascii() and value.isdigit()) or not least <= int(value) <= most:
        raise SettingsError(f"{name} must be a whole number from {least} to {most}, not {value!r}.")
    return int(value)
