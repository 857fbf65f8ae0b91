"""Limits the request rate of each token with a token bucket."""

import time


class RateLimiter:
    """A bucket for each token with the requests of one minute, which refills steadily.

    Each process counts separately.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, tuple[float, float]] = {}

    def acquire(self, token_id: int, per_minute: int) -> float:
        """Return 0 if the token may make another request now, or else the number of seconds to wait."""
        now = time.monotonic()
        level, updated_at = self._buckets.get(token_id, (float(per_minute), now))
        level = min(float(per_minute), level + (now - updated_at) * per_minute / 60)
        if level < 1:
            self._buckets[token_id] = (level, now)
            return (1 - level) * 60 / per_minute
        self._buckets[token_id] = (level - 1, now)
        return 0
