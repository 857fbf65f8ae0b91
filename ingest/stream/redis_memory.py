"""Tracks Redis' memory. Above the high water mark, new events go to the spool, so that workers have room to drain."""

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from ingest.queue.redis_rules import MEMORY_HIGH_WATER, MEMORY_LOW_WATER

ALWAYS_APPEND_BELOW = 0.5
"""The share of memory below which every batch is appended, whatever its size. Redis itself refuses one that does not
fit.
"""
OVERHEAD_FACTOR = 2
"""The number of bytes of Redis' memory to expect per byte of body, until Redis is queried again."""


class RedisMemory:
    """Redis' memory as last read, plus an estimate of the appends since then."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self.is_full = False
        """True if Redis has too little room for new events."""
        self.used_bytes = 0
        self.limit_bytes = 0
        """The value of maxmemory, or 0 if there is no limit."""

    @property
    def used_share(self) -> float:
        """The used share of maxmemory, or 0 if there is no limit."""
        return self.used_bytes / self.limit_bytes if self.limit_bytes else 0.0

    @property
    def available_bytes(self) -> int:
        """The number of bytes of bodies that may still be appended, or 1 GiB if Redis has no limit."""
        if not self.limit_bytes:
            return 1 << 30
        return int((MEMORY_HIGH_WATER * self.limit_bytes - self.used_bytes) / OVERHEAD_FACTOR)

    def fits(self, size_bytes: int) -> bool:
        """Return whether bodies of this size may be appended. If not, Redis counts as full until it has room again."""
        if size_bytes > self.available_bytes and self.used_share > ALWAYS_APPEND_BELOW:
            self.is_full = True
        return not self.is_full

    def record_append(self, size_bytes: int) -> None:
        """Count an append with bodies of this size."""
        self.used_bytes += OVERHEAD_FACTOR * size_bytes
        self._update_fullness()

    async def refresh(self) -> None:
        """Read Redis' memory. Raises RedisError."""
        try:
            info = await self._client.info("memory")  # pyright: ignore[reportUnknownMemberType] - **kwargs
        except NoPermissionError:
            return  # INFO is not permitted: fullness shows only when Redis refuses an append
        self.used_bytes = int(info.get("used_memory", 0))
        self.limit_bytes = int(info.get("maxmemory", 0))
        self._update_fullness()

    def _update_fullness(self) -> None:
        self.is_full = self.used_share > (MEMORY_LOW_WATER if self.is_full else MEMORY_HIGH_WATER)
