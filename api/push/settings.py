"""Reads the settings of Web Push from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.push import endpoints
from api.push.encryption import SigningKey
from telemetry.errors import SettingsError

_MIN_KEY_LENGTH = 32


@dataclass(frozen=True, slots=True)
class PushSettings:
    key: SigningKey = field(repr=False)
    contact: str
    hosts: tuple[str, ...]
    """The hosts of push services. `*.` stands for any subdomain."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "PushSettings | None":
        """Read the settings.

        Return None if PUSH_KEY is not set, because then no device is notified. Raises SettingsError.
        """
        secret = environ.get("PUSH_KEY", "").strip()
        if not secret:
            return None
        if len(secret) < _MIN_KEY_LENGTH:
            raise SettingsError(
                f"PUSH_KEY can be guessed: it must have at least {_MIN_KEY_LENGTH} characters."
                " `openssl rand -hex 32` makes a good one."
            )
        contact = environ.get("PUSH_CONTACT", "").strip()
        if not contact.startswith(("mailto:", "https://")):
            raise SettingsError("PUSH_CONTACT must be set with PUSH_KEY: a mailto: or https: URL for push services.")
        hosts = tuple(environ.get("PUSH_HOSTS", "").lower().replace(",", " ").split()) or endpoints.DEFAULT_HOSTS
        return cls(SigningKey.derive(secret), contact, hosts)
