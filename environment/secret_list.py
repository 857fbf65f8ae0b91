"""Splits a variable that holds several secrets, separated by commas."""

from environment import quotes
from telemetry.errors import SettingsError


def split(text: str) -> list[str]:
    """The secrets, without the quotation marks around them."""
    parts = quotes.unquoted(text.strip()).split(",")
    return [secret for part in parts if (secret := quotes.unquoted(part.strip()))]


def read(name: str, text: str) -> list[str]:
    """The secrets; raises SettingsError if one begins or ends with a quotation mark that has no counterpart."""
    secrets = split(text)
    for secret in secrets:
        if secret[0] in quotes.QUOTES or secret[-1] in quotes.QUOTES:
            raise SettingsError(f"{name} has a quotation mark without its counterpart: write secrets without quotes.")
    return secrets
