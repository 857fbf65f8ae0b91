"""Whether Redis is worth asking: after one failure everybody goes to the spool until Redis has confirmed again."""

import logging

from ingest.counters import Counters

log = logging.getLogger("ingest")


class CircuitBreaker:
    """Closed means: Redis confirmed last time."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._logged_reason: str | None = None
        self.open_reason: str | None = None
        """Why it is open; None while it is closed."""

    def open(self, reason: str) -> None:
        """Redis did not confirm."""
        self._counters.count_unconfirmed(reason)
        if self._logged_reason != reason:
            log.warning("Redis does not confirm (%s): new events go to the spool", reason)
        self.open_reason = self._logged_reason = reason

    def half_open(self) -> None:
        """Redis answers; whether it confirms, the next batch will tell."""
        self.open_reason = None

    def close(self) -> None:
        """Redis confirmed."""
        if self._logged_reason is not None:
            log.warning("Redis confirms again (it was: %s)", self._logged_reason)
        self.open_reason = self._logged_reason = None
