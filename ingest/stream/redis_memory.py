"""Tracks Redis' memory: above the high water mark new events go to the spool, so that workers have room to drain."""

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from ingest.queue.redis_rules import MEMORY_HIGH_WATER, MEMORY_LOW_WATER

ALWAYS_APPEND_BELOW = 0.5
"""Share below which every batch is appended, whatever its size; Redis itself refuses one that does not fit."""
OVERHEAD_FACTOR = 2
"""Bytes of Redis' memory to expect per byte of body, until Redis is asked again."""


class RedisMemory:
    """Redis' memory as last read, plus an estimate of the appends since."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self.is_full = False
        """Whether Redis has too little room for new events."""
        self.used_bytes = 0
        self.limit_bytes = 0
        """maxmemory; 0: no limit."""

    @property
    def used_share(self) -> float:
        """Used share of maxmemory; 0 without a limit."""
        return self.used_bytes / self.limit_bytes if self.limit_bytes else 0.0

    @property
    def available_bytes(self) -> int:
        """Bytes of bodies that may still be appended; 1 GiB where Redis has no limit."""
        if not self.limit_bytes:
            return 1 << 30
        return int((MEMORY_HIGH_WATER * self.limit_bytes - self.used_bytes) / OVERHEAD_FACTOR)

    def fits(self, size_bytes: int) -> bool:
        """Whether so many bytes of bodies may be appended; after a no, Redis counts as full until it has room again."""
        if size_bytes > self.available_bytes and self.used_share > ALWAYS_APPEND_BELOW:
            self.is_full = True
        return not self.is_full

    def record_append(self, size_bytes: int) -> None:
        """Count an append of so many bytes of bodies."""
        self.used_bytes += OVERHEAD_FACTOR * size_bytes
        self._update_fullness()

    async def refresh(self) -> None:
        """Read Redis' memory; raises RedisError."""
        try:
            info = await self._client.info("memory")  # pyright: ignore[reportUnknownMemberType] - **kwargs
        except NoPermissionError:
            return  # only Redis' own refusal shows then that it is full
        self.used_bytes = int(info.get("used_memory", 0))
        self.limit_bytes = int(info.get("maxmemory", 0))
        self._update_fullness()

    def _update_fullness(self) -> None:
        self.is_full = self.used_share > (MEMORY_LOW_WATER if self.is_full else MEMORY_HIGH_WATER)
