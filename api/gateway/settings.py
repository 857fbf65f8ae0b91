import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit


class GatewaySettingsError(ValueError):
    """A sentence that names the variable and what is wrong with it; never its value."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where SAK is and who we are there. Each call says which of these it cannot do without."""

    base_url: str
    """Such as `https://sak.example/api/v1`, without a slash at the end."""
    jwt: str | None = field(default=None, repr=False)
    """The owner's token: webhooks and the session's state."""
    api_key: str | None = field(default=None, repr=False)
    """Messages. A session's own key, or the owner's, which needs `session_id`."""
    session_id: str | None = None
    own_phone: str | None = None
    """The session's own number, digits only."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self | None:
        """None where SAK_BASE_URL is not set: there is no SAK to call. Raises SettingsError."""
        base_url = environ.get("SAK_BASE_URL", "").strip().rstrip("/")
        if not base_url:
            return None
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise GatewaySettingsError("SAK_BASE_URL must be a URL such as https://sak.example/api/v1")
        if parts.username is not None or parts.query or parts.fragment:
            raise GatewaySettingsError("SAK_BASE_URL must hold no user, query or fragment; credentials go into SAK_JWT")
        return cls(
            base_url=base_url,
            jwt=_header_value(environ, "SAK_JWT"),
            api_key=_header_value(environ, "SAK_API_KEY"),
            session_id=_header_value(environ, "SAK_SESSION_ID"),
            own_phone=re.sub(r"[^0-9]", "", environ.get("SAK_PHONE", "")) or None,
        )


def is_header_safe(value: str) -> bool:
    """Whether a word can be a header's value as it is."""
    return re.fullmatch(r"[\x21-\x7e]+", value) is not None


def _header_value(environ: Mapping[str, str], name: str) -> str | None:
    word = environ.get(name, "").strip()
    if not word:
        return None
    if not is_header_safe(word):
        raise GatewaySettingsError(f"{name} holds a character that no HTTP header can carry")
    return word
