"""Sends new events to the spool after one failed append, until Redis confirms again."""

import logging

from ingest.counters import Counters

log = logging.getLogger("ingest")


class CircuitBreaker:
    """The circuit, which is closed, or open for a reason."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._logged_reason: str | None = None
        self.open_reason: str | None = None
        """The reason why the circuit is open, or None if it is closed."""

    def open(self, reason: str) -> None:
        """Record an append that Redis did not confirm. `reason` is a stable code."""
        self._counters.count_unconfirmed(reason)
        self.hold_open(reason)

    def hold_open(self, reason: str) -> None:
        """Keep new batches away from Redis although it confirms."""
        if self._logged_reason != reason:
            log.warning("circuit opened (%s); new events go to the spool", reason)
        self.open_reason = self._logged_reason = reason

    def half_open(self) -> None:
        """Let the next batch try Redis, because Redis answers again and nothing else waits for it."""
        self.open_reason = None

    def close(self) -> None:
        """Record a confirmed append."""
        if self._logged_reason is not None:
            log.warning("circuit closed; it was open because of: %s", self._logged_reason)
        self.open_reason = self._logged_reason = None
