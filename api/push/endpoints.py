"""Decides to which servers notifications may be sent: push services, but no other servers that a client may name."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

DEFAULT_HOSTS = (
    "fcm.googleapis.com",
    "*.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)
"""The push services of Chrome, Firefox, Safari and Edge."""
MAX_LENGTH = 1024
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})


def is_allowed(endpoint: str, hosts: Sequence[str]) -> bool:
    """Return whether the endpoint is an https URL of one of the hosts. A listed loopback host may also have http."""
    if len(endpoint) > MAX_LENGTH or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        return False
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if "@" in parts.netloc or "\\" in endpoint:
        return False
    is_listed = any(host == allowed or (allowed.startswith("*.") and host.endswith(allowed[1:])) for allowed in hosts)
    if host in _LOOPBACK:
        return is_listed and parts.scheme in {"http", "https"}
    return is_listed and _HOST.fullmatch(host) is not None and parts.scheme == "https" and port in {None, 443}
