"""Splits a variable that contains several secrets separated by commas."""

import string

from environment import quotes
from telemetry.errors import SettingsError

MAX_LENGTH = 512
_TOKEN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "._~+/=-")


def split(text: str) -> list[str]:
    """Return the secrets without the quotation marks around them."""
    parts = quotes.unquoted(text.strip()).split(",")
    return [secret for part in parts if (secret := quotes.unquoted(part.strip()))]


def is_token(secret: str) -> bool:
    """Return whether `.env`, a shell and Compose read the secret literally: ASCII letters, digits, `._~+/=-`."""
    return 0 < len(secret) <= MAX_LENGTH and set(secret) <= _TOKEN_CHARACTERS


def read(name: str, text: str) -> list[str]:
    """Return the secrets. Raises SettingsError if one begins or ends with an unmatched quotation mark."""
    secrets = split(text)
    for secret in secrets:
        if secret[0] in quotes.QUOTES or secret[-1] in quotes.QUOTES:
            raise SettingsError(f"{name} has a quotation mark without its counterpart: write secrets without quotes.")
    return secrets
