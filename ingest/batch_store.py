"""Where a batch is kept: in the stream if Redis confirms in time, else in the spool."""

from dataclasses import dataclass

from ingest.circuit_breaker import Breaker
from ingest.counters import Counts
from ingest.drain_jobs import Hints
from ingest.queue import contract
from ingest.queue.failpoints import Failpoints
from ingest.redis_memory import Memory
from ingest.spool import Spool, SpoolError
from ingest.stream_appender import NotAppendedError, Stream

STREAM = "stream"
SPOOL = "spool"


class NotKeptError(Exception):
    """Neither Redis nor the spool took the batch."""

    def __init__(self, *, doubtful: bool) -> None:
        super().__init__("kept nowhere")
        self.doubtful = doubtful
        """Whether it may be somewhere all the same."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Knows both places and which to try first."""

    stream: Stream
    spool: Spool
    breaker: Breaker
    memory: Memory
    hints: Hints
    counts: Counts
    failpoints: Failpoints

    @property
    def reachable(self) -> bool:
        """Whether a batch would be tried on Redis first."""
        return self.breaker.reason is None and not self.memory.high

    async def keep(self, batch: contract.Batch) -> str:
        """Keep it and say where: STREAM or SPOOL; raises NotKeptError."""
        fields = contract.to_fields(batch)
        stream_first = self.breaker.reason is None and self.memory.fits(len(fields[b"bodies"]))
        doubtful = False
        if stream_first:
            try:
                return await self._append(batch, fields)
            except NotAppendedError as error:
                doubtful = error.sent
        try:
            self.failpoints.reach("ingest.before_spool")
            await self.spool.append(fields, len(batch.bodies))
        except SpoolError as error:
            doubtful = doubtful or error.doubtful
        else:
            self.failpoints.reach("ingest.after_spool")
            self.counts.acknowledged_spool += len(batch.bodies)
            return SPOOL
        if not stream_first:
            # Redis was not asked because it failed lately or is rather full: better asked now than refused.
            try:
                return await self._append(batch, fields)
            except NotAppendedError as error:
                doubtful = doubtful or error.sent
        raise NotKeptError(doubtful=doubtful)

    async def _append(self, batch: contract.Batch, fields: dict[bytes, bytes]) -> str:
        try:
            appended = await self.stream.append([fields])
        except NotAppendedError as error:
            self.breaker.open(error.reason)
            raise
        self.breaker.close()
        self.memory.wrote(len(fields[b"bodies"]))
        self.counts.acknowledged_stream += len(batch.bodies)
        self.hints.consider(appended)
        return STREAM
