"""How full Redis is: above the mark new events go to the spool, so that workers always have room to drain."""

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

HIGH = 0.80
"""Share of maxmemory above which nothing new is appended."""
LOW = 0.70
"""Share of maxmemory below which it is appended again."""
EMPTY = 0.5
"""Share below which anything is appended: where even that does not fit, only Redis itself can say so."""
OVERHEAD = 2
"""How many bytes of Redis' memory one byte of body may take, until Redis is asked again."""


class Memory:
    """What Redis said last about its memory, and what was written since."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._above = False
        self.used = 0
        self.limit = 0
        """maxmemory; 0: no limit."""

    @property
    def high(self) -> bool:
        """Whether there is too little room for new events."""
        return self._above

    @property
    def share(self) -> float:
        """Of the limit, as far as known; 0 without a limit."""
        return self.used / self.limit if self.limit else 0.0

    @property
    def room(self) -> int:
        """How many bytes of bodies may still be appended; a lot where Redis has no limit."""
        return int((HIGH * self.limit - self.used) / OVERHEAD) if self.limit else 1 << 30

    def fits(self, size: int) -> bool:
        """Whether so many bytes of bodies may be appended; once they may not, nothing may until there is room again."""
        if size > self.room and self.share > EMPTY:
            self._above = True
        return not self._above

    def wrote(self, size: int) -> None:
        """So many bytes of bodies were appended."""
        self.used += OVERHEAD * size
        self._judge()

    async def ask(self) -> None:
        """Ask Redis; raises redis' errors."""
        try:
            facts = await self._client.info("memory")  # pyright: ignore[reportUnknownMemberType] - **kwargs
        except NoPermissionError:
            return  # then only Redis' own refusal tells that it is full
        self.used = int(facts.get("used_memory", 0))
        self.limit = int(facts.get("maxmemory", 0))
        self._judge()

    def _judge(self) -> None:
        self._above = self.share > (LOW if self._above else HIGH)
