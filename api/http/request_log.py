"""Logs responses, and gives each request an id that appears in its response and in its log lines."""

import logging
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager

from telemetry import log_format

log = logging.getLogger("api.requests")

REQUEST_ID_HEADER = "x-request-id"
SLOW_SECONDS = 1.0
"""The duration in seconds from which a response is logged as slow."""
MAX_REJECTED_A_SECOND = 50
"""The number of rejected requests that are logged in a second, because strangers could fill the disk of the log."""
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


class RequestLog:
    """The log of the responses of a process."""

    def __init__(self) -> None:
        self._second = 0
        self._rejected = 0
        """The number of rejected requests in this second."""

    def log_response(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Log a response without its path, which may contain phone numbers. All are counted in the metrics."""
        fields = {"method": method, "endpoint": endpoint, "status": status, "seconds": round(seconds, 4)}
        if status >= 500:
            log.error("request failed", extra=fields)
        elif status >= 400:
            if self._may_log_rejected():
                log.info("request rejected", extra=fields)
        elif seconds >= SLOW_SECONDS and endpoint not in _PROBE_ENDPOINTS:
            log.info("request slow", extra=fields)
        elif log.isEnabledFor(logging.DEBUG):
            log.debug("request served", extra=fields)

    def _may_log_rejected(self) -> bool:
        now = int(time.monotonic())
        if now != self._second:
            self._second, self._rejected = now, 0
        self._rejected += 1
        return self._rejected <= MAX_REJECTED_A_SECOND
