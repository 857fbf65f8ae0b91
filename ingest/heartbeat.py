"""Reports every writer of this process in `sak:writers` once a second, and as ended once nothing of it is left here."""

import asyncio
import contextlib
import socket
import time

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from ingest.batcher import Batcher, WriterPosition
from ingest.queue import contract, writer_reports
from ingest.queue.writer_reports import WriterReport
from ingest.spool import Spool

INTERVAL_SECONDS = 1.0


class Heartbeat:
    """Runs as a task beside the batcher."""

    def __init__(self, client: Redis, batcher: Batcher, spool: Spool) -> None:
        self._client = client
        self._batcher = batcher
        self._spool = spool
        self._host = socket.gethostname()
        self.is_forbidden = False
        """Whether Redis does not let this user write the reports."""

    async def run(self) -> None:
        """Report once a second until cancelled; a report that Redis does not take is replaced by the next."""
        while True:
            await self._report(is_ending=False)
            await asyncio.sleep(INTERVAL_SECONDS)

    async def close(self) -> None:
        """Report for the last time, after the last batch."""
        await self._report(is_ending=True)

    async def _report(self, *, is_ending: bool) -> None:
        former, spooled = list(self._batcher.former_positions), self._spool.events
        reports = [self._make_report(position, spooled, ended=not spooled) for position in former]
        reports.append(self._make_report(self._batcher.position, spooled, ended=is_ending and not spooled))
        with contextlib.suppress(RedisError, OSError):
            try:
                await self._client.hset(  # pyright: ignore[reportUnknownMemberType, reportGeneralTypeIssues] - untyped
                    contract.WRITERS,
                    mapping={report.writer: writer_reports.to_value(report) for report in reports},
                )
            except NoPermissionError:
                self.is_forbidden = True
                return
            self.is_forbidden = False
            if not spooled:
                del self._batcher.former_positions[: len(former)]

    def _make_report(self, position: WriterPosition, spooled_events: int, *, ended: bool) -> WriterReport:
        return WriterReport(
            writer=position.writer,
            seen_at=time.time_ns() // 1_000_000,
            number=position.number,
            acknowledged_events=position.acknowledged_events,
            spooled_events=spooled_events,
            host=self._host,
            ended=ended,
        )
