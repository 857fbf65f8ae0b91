"""Reads the address of SAK and the credentials for it from the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from telemetry.errors import SettingsError


@dataclass(frozen=True, slots=True)
class SakSettings:
    """The URL of SAK and the credentials. A call raises NotConfiguredError if it needs one that is missing."""

    base_url: str
    """The URL without a trailing slash, such as `https://sak.example/api/v1`."""
    jwt: str | None = field(default=None, repr=False)
    """The owner's token, for webhooks and the state of a session."""
    api_key: str | None = field(default=None, repr=False)
    """The key for messages: the key of a session, or the owner's key, which needs `session_id`."""
    session_id: str | None = None
    own_phone: str | None = None
    """The phone number of the session, digits only."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self | None:
        """Return the settings, or None if SAK_BASE_URL is not set.

        Raises SettingsError, whose message names the variable and never contains its value.
        """
        base_url = environ.get("SAK_BASE_URL", "").strip().rstrip("/")
        if not base_url:
            return None
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError("SAK_BASE_URL must be a URL such as https://sak.example/api/v1.")
        if parts.username is not None or parts.query or parts.fragment:
            raise SettingsError("SAK_BASE_URL must have no user, query or fragment; credentials go into SAK_JWT.")
        return cls(
            base_url=base_url,
            jwt=_header_value(environ, "SAK_JWT"),
            api_key=_header_value(environ, "SAK_API_KEY"),
            session_id=_header_value(environ, "SAK_SESSION_ID"),
            own_phone=re.sub(r"[^0-9]", "", environ.get("SAK_PHONE", "")) or None,
        )


def is_header_safe(value: str) -> bool:
    """Return whether a value can be sent as an HTTP header."""
    return re.fullmatch(r"[\x21-\x7e]+", value) is not None


def _header_value(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name, "").strip()
    if not value:
        return None
    if not is_header_safe(value):
        raise SettingsError(f"{name} has a character that no HTTP header can carry.")
    return value
