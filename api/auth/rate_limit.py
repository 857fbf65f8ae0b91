"""How often a token may ask."""

import time
from collections.abc import Callable


class RateLimiter:
    """A bucket per token that holds a minute's requests and fills up again steadily. Each process counts for itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def acquire(self, token_name: str, per_minute: int) -> float:
        """0 if one more request is fine now, else the seconds until it is."""
        now = self._clock()
        left, since = self._buckets.get(token_name, (float(per_minute), now))
        left = min(float(per_minute), left + (now - since) * per_minute / 60)
        if left < 1:
            self._buckets[token_name] = (left, now)
            return (1 - left) * 60 / per_minute
        self._buckets[token_name] = (left - 1, now)
        return 0
