"""How full Redis is: above the mark new events go to the spool, so that workers always have room to drain."""

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from ingest.queue.redis_rules import MEMORY_HIGH_WATER, MEMORY_LOW_WATER

ALWAYS_APPEND_BELOW = 0.5
"""Share below which anything is appended: where even that does not fit, only Redis itself can say so."""
OVERHEAD_FACTOR = 2
"""How many bytes of Redis' memory one byte of body may take, until Redis is asked again."""


class RedisMemory:
    """What Redis said last about its memory, and what was written since."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._is_full = False
        self.used_bytes = 0
        self.limit_bytes = 0
        """maxmemory; 0: no limit."""

    @property
    def is_full(self) -> bool:
        """Whether there is too little room for new events."""
        return self._is_full

    @property
    def used_share(self) -> float:
        """Of the limit, as far as known; 0 without a limit."""
        return self.used_bytes / self.limit_bytes if self.limit_bytes else 0.0

    @property
    def available_bytes(self) -> int:
        """How many bytes of bodies may still be appended; a lot where Redis has no limit."""
        if not self.limit_bytes:
            return 1 << 30
        return int((MEMORY_HIGH_WATER * self.limit_bytes - self.used_bytes) / OVERHEAD_FACTOR)

    def fits(self, size_bytes: int) -> bool:
        """Whether so many bytes of bodies may be appended; once they may not, nothing may until there is room again."""
        if size_bytes > self.available_bytes and self.used_share > ALWAYS_APPEND_BELOW:
            self._is_full = True
        return not self._is_full

    def record_append(self, size_bytes: int) -> None:
        """So many bytes of bodies were appended."""
        self.used_bytes += OVERHEAD_FACTOR * size_bytes
        self._update_fullness()

    async def refresh(self) -> None:
        """Ask Redis; raises redis' errors."""
        try:
            facts = await self._client.info("memory")  # pyright: ignore[reportUnknownMemberType] - **kwargs
        except NoPermissionError:
            return  # then only Redis' own refusal tells that it is full
        self.used_bytes = int(facts.get("used_memory", 0))
        self.limit_bytes = int(facts.get("maxmemory", 0))
        self._update_fullness()

    def _update_fullness(self) -> None:
        self._is_full = self.used_share > (MEMORY_LOW_WATER if self._is_full else MEMORY_HIGH_WATER)
