"""Logs responses, and gives each request an id that appears in its response and in its log lines."""

import logging
import secrets
from collections.abc import Generator
from contextlib import contextmanager

from telemetry import log_format

log = logging.getLogger("api.requests")

REQUEST_ID_HEADER = "x-request-id"
SLOW_SECONDS = 1.0
"""The duration in seconds from which a response is logged as slow."""
_PROBE_ENDPOINTS = {"alive", "ready", "metrics"}


@contextmanager
def request_context() -> Generator[str]:
    """Yield a new id that is in the log context until the block ends.

    A client's own id is not used, because it may contain anything.
    """
    request_id = secrets.token_hex(8)
    token = log_format.LOG_CONTEXT.set({"request_id": request_id})
    try:
        yield request_id
    finally:
        log_format.LOG_CONTEXT.reset(token)


def log_response(method: str, endpoint: str, status: int, seconds: float) -> None:
    """Log a response without its path, which may contain phone numbers."""
    fields = {"method": method, "endpoint": endpoint, "status": status, "seconds": round(seconds, 4)}
    if status >= 500:
        log.error("request failed", extra=fields)
    elif status >= 400:
        log.info("request rejected", extra=fields)
    elif seconds >= SLOW_SECONDS and endpoint not in _PROBE_ENDPOINTS:
        log.info("request slow", extra=fields)
    elif log.isEnabledFor(logging.DEBUG):
        log.debug("request served", extra=fields)
