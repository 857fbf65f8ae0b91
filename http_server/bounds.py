"""The bounds of one process' connections, and the number of connections that its descriptors allow."""

import resource
from collections.abc import Mapping
from dataclasses import dataclass

from telemetry.errors import SettingsError

MAX_CONNECTIONS = 2048
"""The default, where descriptors allow more: an idle connection takes 7 KiB of memory."""
MIN_CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    max_connections: int
    max_unfinished_bytes: int
    """Of unfinished requests and unread responses, of all connections together."""
    kept_body_bytes: int
    """The most that the application keeps of one unfinished body."""
    body_seconds: float
    """How long a body may take to arrive."""
    min_body_rate: float | None = None
    """Bytes a second with which a body may take longer; None: it may not."""
    unread_seconds: float = 30.0
    """How long a client may leave all of a response unread."""
    answers_half_closed: bool = False
    """Whether a client that has closed its half gets its answer; else that ends the request."""


def read_max_connections(environ: Mapping[str, str], reserved_descriptors: int) -> int:
    """MAX_CONNECTIONS, or what the limit of descriptors leaves beside the reserved ones; raises SettingsError."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        limit = MAX_CONNECTIONS + reserved_descriptors
    available = limit - reserved_descriptors
    if available < MIN_CONNECTIONS:
        raise SettingsError(
            f"The process may open {limit} files, and needs {reserved_descriptors + MIN_CONNECTIONS}: "
            "raise its limit (ulimit -n, LimitNOFILE)."
        )
    wanted = _read_number(environ, "MAX_CONNECTIONS", min(MAX_CONNECTIONS, available), MIN_CONNECTIONS)
    if wanted > available:
        raise SettingsError(
            f"MAX_CONNECTIONS is {wanted}, and the process may open {limit} files, of which it needs "
            f"{reserved_descriptors} itself: raise its limit (ulimit -n, LimitNOFILE)."
        )
    return wanted


def read_max_unfinished_bytes(environ: Mapping[str, str], kept_body_bytes: int) -> int:
    """MAX_UNFINISHED_BYTES; the default has room for four of the largest bodies. Raises SettingsError."""
    return _read_number(environ, "MAX_UNFINISHED_BYTES", 4 * kept_body_bytes, 2 * kept_body_bytes)


def _read_number(environ: Mapping[str, str], name: str, default: int, minimum: int) -> int:
    text = environ.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit()) or int(text) < minimum:
        raise SettingsError(f"{name} must be a whole number of at least {minimum}, not {text!r}.")
    return int(text)
