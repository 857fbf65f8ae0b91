"""Each request has a name, which its answer tells and every line of the log about it bears."""

import logging
import secrets
from collections.abc import Generator
from contextlib import contextmanager

from telemetry import log_format

log = logging.getLogger("api.requests")

HEADER = "x-request-id"
SLOW = 1.0
"""Seconds from which an answer is worth a line."""
_QUIET = {"alive", "ready", "metrics"}


@contextmanager
def named() -> Generator[str]:
    """Draw a name; it is ours alone, as what a caller sends may be anything."""
    name = secrets.token_hex(8)
    token = log_format.ABOUT.set({"request": name})
    try:
        yield name
    finally:
        log_format.ABOUT.reset(token)


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Say what was answered; the path is not told, as it names people."""
    told = {"method": method, "route": route, "status": status, "seconds": round(seconds, 4)}
    if status >= 500:
        log.error("failed", extra=told)
    elif status >= 400 or (seconds >= SLOW and route not in _QUIET):
        log.info("refused" if status >= 400 else "slow", extra=told)
    elif log.isEnabledFor(logging.DEBUG):
        log.debug("answered", extra=told)
