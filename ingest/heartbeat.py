"""Reports every writer of this process in `sak:writers` once a second, and its end once all its batches are sent."""

import asyncio
import socket
import time
from dataclasses import dataclass, field
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from ingest.batcher import Batcher
from ingest.queue import consumer_group, contract, entry_ids, writer_reports
from ingest.queue.entry_ids import EntryId
from ingest.queue.writer_reports import WriterReport
from ingest.spool.spool import Spool
from ingest.tail import redis_durability
from ingest.tail.orphaned_tails import OrphanedTails
from ingest.tail.tail import Tail
from ingest.writer_position import FormerWriters, WriterPosition

INTERVAL_SECONDS = 1.0
REPEAT_SECONDS = 15.0
"""The time in seconds for which the end of a writer is reported again, in case Redis loses the report."""


@dataclass(slots=True)
class HeartbeatSender:
    """The task that sends heartbeats. The replies of Redis show whether it is still the same server."""

    client: Redis
    batcher: Batcher
    former_writers: FormerWriters
    spool: Spool
    tail: Tail
    orphaned_tails: OrphanedTails
    is_forbidden: bool = False
    """True if Redis does not let this user write the reports."""
    _host: str = field(default_factory=socket.gethostname)
    _reported_writer: str = ""
    _ended_at: dict[str, float] = field(default_factory=dict[str, float])
    """The time at which the end of each former writer was first reported."""

    async def run(self) -> None:
        """Report once a second until cancelled. A report that Redis does not accept is replaced by the next one."""
        while True:
            await self._report(is_ending=False)
            self.tail.maintain(self.batcher.position)
            await asyncio.sleep(INTERVAL_SECONDS)

    async def close(self) -> None:
        """Send a last report after the last batch."""
        await self._report(is_ending=True)
        self.tail.maintain(self.batcher.position)

    async def _report(self, *, is_ending: bool) -> None:
        try:
            unsent = self.spool.events + self.tail.due_events + self.orphaned_tails.due_events
            is_empty = not (self.spool.has_unconfirmed or self.tail.has_due or self.orphaned_tails.are_held)
            former = list(self.former_writers.positions.values())
            await self._exchange(
                self._make_report(self.batcher.position, unsent, ended=is_ending and is_empty),
                [self._make_report(position, unsent, ended=is_empty) for position in former],
            )
        except NoPermissionError:
            self.is_forbidden = True
            self.tail.identity.revoke_proof()
            return
        except (RedisError, OSError):
            self.tail.identity.revoke_proof()
            return
        self.is_forbidden = False
        if is_empty:
            now = time.monotonic()
            for position in former:
                self._ended_at.setdefault(position.writer, now)
            done = [one for one in former if now - self._ended_at[one.writer] > REPEAT_SECONDS]
            for position in done:
                del self._ended_at[position.writer]
            self.former_writers.remove(done)

    async def _exchange(self, own: WriterReport, former: list[WriterReport]) -> None:
        asked_at = time.monotonic()
        pipeline = self.client.pipeline(transaction=False)
        for report in (own, *former):
            pipeline.hset(contract.WRITERS, report.writer, writer_reports.to_value(report))
        pipeline.config_get(*redis_durability.SETTINGS)  # pyright: ignore[reportUnknownMemberType] - **kwargs
        for section in ("persistence", "replication", "server"):
            pipeline.info(section)  # pyright: ignore[reportUnknownMemberType] - **kwargs
        pipeline.xinfo_groups(contract.STREAM)
        pipeline.xpending(contract.STREAM, contract.CONSUMER_GROUP)
        found = cast("list[object]", await pipeline.execute(raise_on_error=False))
        *replies, settings, persistence, replication, server, groups, pending = found
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        run_id = None if isinstance(server, Exception) else str(cast("dict[str, object]", server)["run_id"])
        self.tail.identity.observe(
            run_id,
            has_lost_report=replies[0] == 1 and own.writer == self._reported_writer,
            asked_at=asked_at,
            committed_before=_committed_before(groups, pending),
            is_synced=redis_durability.is_synced_before_reply(settings, persistence, replication),
        )
        self._reported_writer = own.writer

    def _make_report(self, position: WriterPosition, unsent_events: int, *, ended: bool) -> WriterReport:
        return WriterReport(
            writer=position.writer,
            seen_at=time.time_ns() // 1_000_000,
            number=position.number,
            acknowledged_events=position.acknowledged_events,
            spooled_events=unsent_events,
            host=self._host,
            ended=ended,
        )


def _committed_before(groups: object, pending: object) -> EntryId:
    """Return the id before which all entries are committed, from XINFO GROUPS and XPENDING.

    It is zero if Redis refuses these commands or has no stream yet.
    """
    if not isinstance(groups, list) or not isinstance(pending, dict):
        return (0, 0)
    group = consumer_group.position(cast("list[dict[str, object]]", groups))
    if group is None:
        return (0, 0)
    oldest_pending = cast("dict[str, bytes | None]", pending)["min"]
    return entry_ids.parse(consumer_group.committed_before(group, oldest_pending))
