"""Defines the limits for the connections of a process, and reads how many connections its descriptors allow."""

import resource
from collections.abc import Mapping
from dataclasses import dataclass

from environment import variables
from telemetry.errors import SettingsError

MAX_CONNECTIONS = 2048
"""The default if descriptors allow more. An idle connection takes 7 KiB of memory."""
MIN_CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    max_connections: int
    max_unfinished_bytes: int
    """The size limit for unfinished requests and unread responses, of all connections together."""
    kept_body_bytes: int
    """The largest part of one unfinished body that the application keeps."""
    body_seconds: float
    """The time in seconds that a body may take to arrive."""
    min_body_rate: float | None = None
    """The rate in bytes per second at which a body may take longer, or None if it may not."""
    unread_seconds: float = 30.0
    """The time in seconds for which a client may read nothing of a response."""
    answers_half_closed: bool = False
    """True if a client that has closed its half of the connection still gets its response."""


def read_max_connections(environ: Mapping[str, str], reserved_descriptors: int) -> int:
    """Return MAX_CONNECTIONS, or as many as the limit of descriptors allows beside the reserved ones.

    Raises SettingsError.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        limit = MAX_CONNECTIONS + reserved_descriptors
    available = limit - reserved_descriptors
    if available < MIN_CONNECTIONS:
        raise SettingsError(
            f"The process may open {limit} files, and needs {reserved_descriptors + MIN_CONNECTIONS}: "
            "raise its limit (ulimit -n, LimitNOFILE)."
        )
    wanted = variables.whole_number(
        environ, "MAX_CONNECTIONS", min(MAX_CONNECTIONS, available), minimum=MIN_CONNECTIONS
    )
    if wanted > available:
        raise SettingsError(
            f"MAX_CONNECTIONS is {wanted}, and the process may open {limit} files, of which it needs "
            f"{reserved_descriptors} itself: raise its limit (ulimit -n, LimitNOFILE)."
        )
    return wanted


def read_max_unfinished_bytes(environ: Mapping[str, str], kept_body_bytes: int) -> int:
    """Return MAX_UNFINISHED_BYTES. The default has room for four of the largest bodies. Raises SettingsError."""
    return variables.whole_number(environ, "MAX_UNFINISHED_BYTES", 4 * kept_body_bytes, minimum=2 * kept_body_bytes)
