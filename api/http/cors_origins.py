"""Reads API_CORS_ORIGINS in the form that browsers send: lower case, without a path or a default port."""

from urllib.parse import urlsplit

from telemetry.errors import SettingsError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_EVERY_ORIGIN = "*"


def parse(text: str) -> list[str]:
    """Return the origins in a list separated by commas.

    Raises SettingsError for an origin that no browser would send.
    """
    return [_normalized(part) for part in map(str.strip, text.split(",")) if part]


def _normalized(text: str) -> str:
    if text == _EVERY_ORIGIN:
        return text
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port
    except ValueError:
        raise _error(text) from None
    if not (parts.scheme and host) or parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in text:
        raise _error(text)
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port is None or port == _DEFAULT_PORTS.get(parts.scheme) else f":{port}"
    return f"{parts.scheme}://{shown}{suffix}"


def _error(text: str) -> SettingsError:
    return SettingsError(
        "API_CORS_ORIGINS must have origins such as https://shop.example, without a path and separated by commas:"
        f" {text!r} is none."
    )
