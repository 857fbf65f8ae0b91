"""Reads the provider, and the rules of what people may do, from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from api.oidc import rules
from api.oidc.rules import Rule
from telemetry.errors import SettingsError

_CALLBACK_PATH = "/sign-in/callback"
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
_HOURS = range(1, 24 * 31)


@dataclass(frozen=True, slots=True)
class OidcSettings:
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_url: str
    """The callback exactly as registered at the provider."""
    rules: tuple[Rule, ...] = field(repr=False)
    groups_claim: str
    scope: str
    """The scope requested from the provider."""
    sign_in_seconds: int
    """The time in seconds until a person must sign in at the provider again."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self | None:
        """Return the settings, or None if OIDC_ISSUER is not set.

        Raises SettingsError, whose message names the variable and never contains its value.
        """
        issuer = environ.get("OIDC_ISSUER", "").strip()
        if not issuer:
            return None
        if not is_safe_url(issuer) or urlsplit(issuer).query:
            raise SettingsError("OIDC_ISSUER must be the provider's https:// address.")
        redirect_url = _required(environ, "OIDC_REDIRECT_URL")
        if (
            not is_safe_url(redirect_url)
            or urlsplit(redirect_url).path != _CALLBACK_PATH
            or urlsplit(redirect_url).query
        ):
            raise SettingsError(f"OIDC_REDIRECT_URL must be the https:// address of the api with {_CALLBACK_PATH}.")
        hours = environ.get("OIDC_HOURS", "").strip() or "12"
        if not hours.isdecimal() or int(hours) not in _HOURS:
            raise SettingsError(f"OIDC_HOURS must be a whole number from {_HOURS[0]} to {_HOURS[-1]}.")
        return cls(
            rules=rules.parse(environ.get("OIDC_ALLOW", "")),
            issuer=issuer,
            client_id=_required(environ, "OIDC_CLIENT_ID"),
            client_secret=_required(environ, "OIDC_CLIENT_SECRET"),
            redirect_url=redirect_url,
            groups_claim=environ.get("OIDC_GROUPS_CLAIM", "").strip() or "groups",
            scope=environ.get("OIDC_SCOPE", "").strip() or "openid email",
            sign_in_seconds=int(hours) * 3600,
        )


def is_safe_url(url: str) -> bool:
    """Return whether the URL has https, or http on this machine, and neither a user nor a fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_private = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK_HOSTS)
    return is_private and bool(parts.hostname) and parts.username is None and not parts.fragment


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} is not set; OIDC_ISSUER needs it.")
    return value
