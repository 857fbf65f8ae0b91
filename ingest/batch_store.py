"""Stores a batch in the stream if Redis confirms in time, otherwise in the spool."""

import asyncio
import time
from dataclasses import dataclass

from ingest.counters import Counters
from ingest.errors import NotConfirmedError
from ingest.queue import contract
from ingest.queue.failpoints import Failpoints
from ingest.spool.spool import Spool
from ingest.stream.circuit_breaker import CircuitBreaker
from ingest.stream.redis_memory import RedisMemory
from ingest.stream.stream_appender import StreamAppender

VIA_STREAM = "stream"
VIA_SPOOL = "spool"
RETRY_SECONDS = 3.0
"""The time in seconds for which batches are retried while both fail, because a restart takes about as long. After that,
each batch is tried once.
"""
MAX_RETRY_AGE_SECONDS = 3.5
"""The greatest age in seconds at which a batch is retried. An attempt takes up to 4 s, and SAK gives up after 8."""
PAUSE_SECONDS = 0.1
"""The pause in seconds between two attempts."""


class BatchNotStoredError(NotConfirmedError):
    """Neither Redis nor the spool confirmed the batch."""


@dataclass(slots=True)
class BatchStore:
    """The stream and the spool. The spool comes first if the circuit is open or Redis is nearly full."""

    appender: StreamAppender
    spool: Spool
    breaker: CircuitBreaker
    redis_memory: RedisMemory
    counters: Counters
    failpoints: Failpoints
    _failing_since: float | None = None
    """The time since which both fail, by the monotonic clock, or None if the last batch was stored."""

    async def store(self, batch: contract.RawBatch, begun_at: float) -> str:
        """Store the batch. Return VIA_STREAM or VIA_SPOOL. Raises BatchNotStoredError before SAK gives up.

        `begun_at` is the time of the batch's first event, by the monotonic clock.
        """
        if self._failing_since is not None and time.monotonic() - begun_at > RETRY_SECONDS:
            raise BatchNotStoredError("waited too long while other batches failed", may_be_stored=False)
        fields = contract.to_fields(batch)
        may_be_stored = False
        while True:
            attempts = [self._append_to_stream, self._append_to_spool]
            if self.breaker.open_reason is not None or not self.redis_memory.fits(len(fields[b"bodies"])):
                attempts.reverse()  # Redis failed recently or is nearly full, but is tried before the batch is refused
            for attempt in attempts:
                try:
                    via = await attempt(batch, fields)
                except NotConfirmedError as error:
                    may_be_stored = may_be_stored or error.may_be_stored
                else:
                    self._failing_since = None
                    return via
            now = time.monotonic()
            if self._failing_since is None:
                self._failing_since = now
            if now - self._failing_since > RETRY_SECONDS or now - begun_at > MAX_RETRY_AGE_SECONDS:
                raise BatchNotStoredError("not stored", may_be_stored=may_be_stored)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _append_to_stream(self, batch: contract.RawBatch, fields: dict[bytes, bytes]) -> str:
        await self.appender.append([fields], len(batch.bodies), len(fields[b"bodies"]))
        self.counters.acknowledged_by_stream += len(batch.bodies)
        return VIA_STREAM

    async def _append_to_spool(self, batch: contract.RawBatch, fields: dict[bytes, bytes]) -> str:
        self.failpoints.reach("ingest.before_spool")
        await self.spool.append(fields, len(batch.bodies))
        self.failpoints.reach("ingest.after_spool")
        self.counters.acknowledged_by_spool += len(batch.bodies)
        return VIA_SPOOL
