"""What the api is told by its environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from store import connect


class SettingsError(Exception):
    """The environment lacks something, or says something that cannot be; the message is for whoever starts us."""


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str = field(repr=False)
    token: str = field(repr=False)
    """The bootstrap token: all sessions, all scopes."""
    connections: int
    """How many questions PostgreSQL is asked at the same time."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Raises SettingsError."""
        token = environ.get("API_TOKEN", "").strip()
        if not token:
            raise SettingsError("API_TOKEN is not set: it is the token that callers of the API must bear.")
        try:
            database_url = connect.url(environ)
        except connect.NoDatabaseError as error:
            raise SettingsError(str(error)) from error
        return cls(database_url, token, whole(environ, "API_CONNECTIONS", 8, 1, 200))


def whole(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number within bounds; raises SettingsError."""
    value = environ.get(name) or str(default)
    if not (value.isascii() and value.isdigit()) or not least <= int(value) <= most:
        raise SettingsError(f"{name} must be a whole number from {least} to {most}, not {value!r}.")
    return int(value)
