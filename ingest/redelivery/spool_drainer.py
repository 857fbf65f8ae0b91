"""Moves due tails and spooled batches to the stream, oldest first, and thereby detects that Redis confirms again."""

import asyncio
import logging
import time
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from ingest.counters import Counters
from ingest.queue.failpoints import Failpoints
from ingest.redelivery.tail_drainer import TailDrainer
from ingest.spool.spool import Spool, SpoolError
from ingest.spool.spool_folder import SpoolChunk
from ingest.stream.circuit_breaker import CircuitBreaker
from ingest.stream.redis_memory import RedisMemory
from ingest.stream.stream_appender import AppendError, StreamAppender

POLL_SECONDS = 0.2
"""The interval in seconds for reading Redis' memory while the spool is empty."""
MAINTENANCE_SECONDS = 5.0
"""The interval in seconds for maintaining the spool's files and adopting those of dead processes."""
MAX_PAUSE_SECONDS = 1.0

log = logging.getLogger("ingest")


@dataclass(slots=True)
class SpoolDrainer:
    """The task that drains the spool and resends batches of the tail, over its own connection."""

    client: Redis
    appender: StreamAppender
    spool: Spool
    breaker: CircuitBreaker
    redis_memory: RedisMemory
    counters: Counters
    failpoints: Failpoints
    tail_drainer: TailDrainer
    _awaiting_removal: SpoolChunk | None = None
    """The chunk that the stream has confirmed, but that is not removed from the spool yet."""

    async def run(self) -> None:
        """Drain whenever the spool has batches and Redis has room, until cancelled."""
        pause = POLL_SECONDS
        next_maintenance_at = 0.0
        while True:
            try:
                if time.monotonic() > next_maintenance_at:
                    next_maintenance_at = time.monotonic() + MAINTENANCE_SECONDS
                    await self.spool.maintain()
                    await self.tail_drainer.orphaned_tails.adopt()
                    await self.tail_drainer.orphaned_tails.delete_sent()
                moved = await self._move_oldest()
            except (RedisError, OSError, AppendError, SpoolError):
                moved = False
                pause = min(pause * 2, MAX_PAUSE_SECONDS) if self.breaker.open_reason else POLL_SECONDS
            else:
                pause = POLL_SECONDS
            if not moved:
                await asyncio.sleep(pause)

    async def _move_oldest(self) -> bool:
        """Send batches of the tail or, if none are due, the oldest chunk of the spool.

        Return whether anything was sent.
        """
        await self._remove_appended()
        await self.redis_memory.refresh()
        if self.redis_memory.is_full or not await self._has_enough_replicas():
            return False
        if await self.tail_drainer.send_next():
            return True
        room, pace = self.redis_memory.available_bytes, self.tail_drainer.pace
        chunk = await self.spool.read_oldest(room, pace.max_batches) if self.spool.has_unconfirmed else None
        if chunk is None:
            if not self.tail_drainer.tail.has_due:
                self.breaker.half_open()
            return False
        size_bytes = sum(batch.size_bytes for batch in chunk.batches)
        if not self.redis_memory.fits(size_bytes):
            return False
        events = sum(batch.events for batch in chunk.batches)
        with pace.measure():
            await self.appender.append([batch.fields for batch in chunk.batches], events, size_bytes)
        self.failpoints.reach("spool.after_xadd")
        self._awaiting_removal = chunk
        await self._remove_appended()
        return True

    async def _remove_appended(self) -> None:
        """Remove a confirmed chunk. Nothing else is sent before that; otherwise the chunk would be sent repeatedly."""
        if self._awaiting_removal is None:
            return
        events = sum(batch.events for batch in self._awaiting_removal.batches)
        await self.spool.remove(self._awaiting_removal)
        self._awaiting_removal = None
        self.counters.drained_events += events
        log.info("drained %d events from the spool", events)

    async def _has_enough_replicas(self) -> bool:
        if not self.appender.min_replicas or self.breaker.open_reason != "replicas":
            return True
        try:
            info = await self.client.info("replication")  # pyright: ignore[reportUnknownMemberType] - **kwargs
        except NoPermissionError:
            return True
        return int(info.get("connected_slaves", 0)) >= self.appender.min_replicas
