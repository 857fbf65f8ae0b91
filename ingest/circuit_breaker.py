"""Whether Redis is worth asking: after one failure everybody goes to the spool until Redis has confirmed again."""

import logging

from ingest.counters import Counts

log = logging.getLogger("ingest")


class Breaker:
    """Closed means: Redis confirmed last time."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._said: str | None = None
        self.reason: str | None = None
        """Why it is open; None while it is closed."""

    def open(self, reason: str) -> None:
        """Redis did not confirm."""
        self._counts.fail(reason)
        if self._said != reason:
            log.warning("Redis does not confirm (%s): new events go to the spool", reason)
        self.reason = self._said = reason

    def try_again(self) -> None:
        """Redis answers; whether it confirms, the next batch will tell."""
        self.reason = None

    def close(self) -> None:
        """Redis confirmed."""
        if self._said is not None:
            log.warning("Redis confirms again (it was: %s)", self._said)
        self.reason = self._said = None
