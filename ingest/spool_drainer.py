"""Brings spooled batches into the stream, oldest first, and finds out that way when Redis confirms again."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from ingest.circuit_breaker import Breaker
from ingest.counters import Counts
from ingest.drain_jobs import Hints
from ingest.queue.failpoints import Failpoints
from ingest.redis_memory import Memory
from ingest.spool import Portion, Spool, SpoolError
from ingest.stream_appender import NotAppendedError, Stream

TICK_SECONDS = 0.2
"""How often Redis' memory is looked at while all is well."""
ADOPT_TICKS = 25
"""After how many of them files of dead processes are looked for."""
LONGEST_PAUSE = 1.0

log = logging.getLogger("ingest")


@dataclass(slots=True)
class Drainer:
    """One task beside the batcher, with a connection of its own."""

    client: Redis
    stream: Stream
    spool: Spool
    breaker: Breaker
    memory: Memory
    hints: Hints
    counts: Counts
    failpoints: Failpoints
    min_replicas: int
    on_empty: Callable[[], None]
    """Called when the spool has become empty."""
    _confirmed: Portion | None = None
    """In the stream, but not yet removed from the spool."""

    async def run(self) -> None:
        """Drain whenever there is something to drain and room for it, until cancelled."""
        pause = TICK_SECONDS
        ticks = 0
        while True:
            try:
                if ticks % ADOPT_TICKS == 0:
                    await self.spool.adopt()
                moved = await self._step()
            except (RedisError, OSError, NotAppendedError, SpoolError):
                moved = False
                pause = min(pause * 2, LONGEST_PAUSE) if self.breaker.reason else TICK_SECONDS
            else:
                pause = TICK_SECONDS
            if not moved:
                ticks += 1
                await asyncio.sleep(pause)

    async def _step(self) -> bool:
        """Move the oldest portion; whether there may be more to move now."""
        await self._finish()
        await self.memory.ask()
        if self.memory.high or not await self._enough_replicas():
            return False
        portion = await self.spool.oldest(self.memory.room) if self.spool.events else None
        if portion is None:
            if self.breaker.reason is not None:
                self.breaker.try_again()
            return False
        if not self.memory.fits(sum(batch.size for batch in portion.batches)):
            return False
        try:
            appended = await self.stream.append([batch.fields for batch in portion.batches])
        except NotAppendedError as error:
            self.breaker.open(error.reason)
            raise
        self.failpoints.reach("spool.after_xadd")
        self._confirmed = portion
        self.breaker.close()
        self.memory.wrote(sum(batch.size for batch in portion.batches))
        self.hints.consider(appended)
        await self._finish()
        return True

    async def _finish(self) -> None:
        """Remove what is confirmed; until that is done nothing else is sent, or it would be sent again and again."""
        if self._confirmed is None:
            return
        events = sum(batch.events for batch in self._confirmed.batches)
        await self.spool.remove(self._confirmed)
        self._confirmed = None
        self.counts.drained += events
        log.info("%d events went from the spool into the stream", events)
        if not self.spool.events:
            self.on_empty()

    async def _enough_replicas(self) -> bool:
        if not self.min_replicas or self.breaker.reason != "replicas":
            return True
        try:
            facts = await self.client.info("replication")  # pyright: ignore[reportUnknownMemberType] - **kwargs
        except NoPermissionError:
            return True
        return int(facts.get("connected_slaves", 0)) >= self.min_replicas
