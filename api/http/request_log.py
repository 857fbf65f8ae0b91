"""Each request has a name, which its answer tells and every line of the log about it bears."""

import logging
import secrets
from collections.abc import Generator
from contextlib import contextmanager

from telemetry import log_format

log = logging.getLogger("api.requests")

REQUEST_ID_HEADER = "x-request-id"
SLOW_SECONDS = 1.0
"""Seconds from which an answer is worth a line."""
_PROBE_ENDPOINTS = {"alive", "ready", "metrics"}


@contextmanager
def request_context() -> Generator[str]:
    """Draw a name; it is ours alone, as what a caller sends may be anything."""
    name = secrets.token_hex(8)
    token = log_format.LOG_CONTEXT.set({"request": name})
    try:
        yield name
    finally:
        log_format.LOG_CONTEXT.reset(token)


def log_response(method: str, endpoint: str, status: int, seconds: float) -> None:
    """Say what was answered; the path is not told, as it names people."""
    told = {"method": method, "route": endpoint, "status": status, "seconds": round(seconds, 4)}
    if status >= 500:
        log.error("failed", extra=told)
    elif status >= 400 or (seconds >= SLOW_SECONDS and endpoint not in _PROBE_ENDPOINTS):
        log.info("refused" if status >= 400 else "slow", extra=told)
    elif log.isEnabledFor(logging.DEBUG):
        log.debug("answered", extra=told)
