"""Where a batch is kept: in the stream if Redis confirms in time, else in the spool."""

from dataclasses import dataclass

from ingest.circuit_breaker import CircuitBreaker
from ingest.counters import Counters
from ingest.drain_jobs import DrainJobs
from ingest.queue import contract
from ingest.queue.failpoints import Failpoints
from ingest.redis_memory import RedisMemory
from ingest.spool import Spool, SpoolError
from ingest.stream_appender import AppendError, StreamAppender

VIA_STREAM = "stream"
VIA_SPOOL = "spool"


class BatchNotStoredError(Exception):
    """Neither Redis nor the spool took the batch."""

    def __init__(self, *, may_be_stored: bool) -> None:
        super().__init__("kept nowhere")
        self.may_be_stored = may_be_stored
        """Whether it may be somewhere all the same."""


@dataclass(frozen=True, slots=True)
class BatchStore:
    """Knows both places and which to try first."""

    appender: StreamAppender
    spool: Spool
    breaker: CircuitBreaker
    redis_memory: RedisMemory
    drain_jobs: DrainJobs
    counters: Counters
    failpoints: Failpoints

    @property
    def tries_stream_first(self) -> bool:
        """Whether a batch would be tried on Redis first."""
        return self.breaker.open_reason is None and not self.redis_memory.is_full

    async def store(self, batch: contract.RawBatch) -> str:
        """Keep it and say where: STREAM or SPOOL; raises NotKeptError."""
        fields = contract.to_fields(batch)
        stream_first = self.breaker.open_reason is None and self.redis_memory.fits(len(fields[b"bodies"]))
        doubtful = False
        if stream_first:
            try:
                return await self._append(batch, fields)
            except AppendError as error:
                doubtful = error.may_be_stored
        try:
            self.failpoints.reach("ingest.before_spool")
            await self.spool.append(fields, len(batch.bodies))
        except SpoolError as error:
            doubtful = doubtful or error.may_be_stored
        else:
            self.failpoints.reach("ingest.after_spool")
            self.counters.acknowledged_by_spool += len(batch.bodies)
            return VIA_SPOOL
        if not stream_first:
            # Redis was not asked because it failed lately or is rather full: better asked now than refused.
            try:
                return await self._append(batch, fields)
            except AppendError as error:
                doubtful = doubtful or error.may_be_stored
        raise BatchNotStoredError(may_be_stored=doubtful)

    async def _append(self, batch: contract.RawBatch, fields: dict[bytes, bytes]) -> str:
        try:
            appended = await self.appender.append([fields])
        except AppendError as error:
            self.breaker.open(error.reason)
            raise
        self.breaker.close()
        self.redis_memory.record_append(len(fields[b"bodies"]))
        self.counters.acknowledged_by_stream += len(batch.bodies)
        self.drain_jobs.enqueue_if_needed(appended)
        return VIA_STREAM
