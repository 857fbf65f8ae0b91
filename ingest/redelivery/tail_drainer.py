"""Resends batches that Redis may have lost: those in this process's tail, then those of dead processes."""

from dataclasses import dataclass

from ingest.counters import Counters
from ingest.redelivery.pace import Pace
from ingest.stream.redis_memory import RedisMemory
from ingest.stream.stream_appender import StreamAppender
from ingest.tail.orphaned_tails import OrphanedTails
from ingest.tail.tail import Tail


@dataclass(frozen=True, slots=True)
class TailDrainer:
    """The tails whose batches are resent.

    If a batch is also in the stream or already stored, the worker skips the second copy by its identity.
    """

    appender: StreamAppender
    tail: Tail
    orphaned_tails: OrphanedTails
    redis_memory: RedisMemory
    counters: Counters
    pace: Pace

    async def send_next(self) -> bool:
        """Send the batches that are due next. Return whether any were sent.

        Raises AppendError, RedisError and OSError.
        """
        await self.appender.verify()
        room = self.redis_memory.available_bytes
        groups = self.tail.first_due(room, self.pace.max_batches)
        is_own = bool(groups)
        if not is_own:
            groups = await self.orphaned_tails.first_due(room, self.pace.max_batches)
        events, size = sum(group.events for group in groups), sum(group.size_bytes for group in groups)
        if not groups or not self.redis_memory.fits(size):
            return False
        entries = await self.tail.read(groups)
        with self.pace.measure():
            confirmation = await self.appender.append(entries, events, size, is_in_tail=True)
        self.tail.confirm_again(groups, confirmation.redis_number, confirmation.last_id)
        if not is_own:
            self.orphaned_tails.discard_sent(groups)
        self.counters.resent_events += events
        return True
