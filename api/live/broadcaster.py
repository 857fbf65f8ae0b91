"""Reads the change feed once for all event streams of the process and buffers the newest changes."""

import asyncio
import bisect
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.to_thread

from api.http.database import Database
from api.live import change_ids
from store.feed.listener import ChangeListener
from store.model import lines
from store.postgres import errors
from store.postgres.connections import Connection
from store.reading import change_feed
from store.reading.change_feed import FeedEntry, FeedPosition

T = TypeVar("T")

log = logging.getLogger(__name__)

_BUFFER_SIZE = 5_000
"""The number of changes in memory. A stream that is further behind reads from the database."""
_BUFFER_BYTES = 8 << 20
"""The size of the changes in memory in bytes. Both limits may be exceeded by a factor of two."""
_PAGE_SIZE = 500
_PENDING_PAUSE, _IDLE_PAUSE = 0.02, 1.0
"""The seconds between two reads while a running transaction holds changes back, and while there are no changes. The
second matters if notifications are lost, such as behind a pooler.
"""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """A change in the format of the event stream."""

    position: FeedPosition
    session_id: str | None
    frame: bytes


def encode_event(epoch: str, change: FeedEntry) -> StreamEvent:
    frame = f"id: {change_ids.encode(epoch, change.position)}\ndata: {lines.escape_json(change.json)}\n\n"
    return StreamEvent(change.position, change.session_id, frame.encode())


class Broadcaster:
    """A buffer of changes. `run` fills it while the application runs; each stream reads it at its own pace."""

    def __init__(self, database: Database) -> None:
        self.closed = False
        self.updated = asyncio.Event()
        """An event that is set, and replaced by a new one, when the buffer has new events and at the end."""
        self._database = database
        self._limiter = anyio.CapacityLimiter(1)
        self._wakeup = asyncio.Event()
        self._epoch: str | None = None
        self._events: list[StreamEvent] = []
        self._buffer_bytes = 0
        # The buffer contains all changes after the first position, up to and including the second.
        self._buffer_start = self._buffer_end = FeedPosition(0, 0)

    async def run(self) -> None:
        """Read until cancelled, waiting while the database is unavailable."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            # The event loop may already be closed.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._wakeup.set)

        listener = ChangeListener(self._database.settings.direct_database_url, wake)
        listener.start()
        try:
            while True:
                self._wakeup.clear()
                pause = await self._read_feed()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wakeup.wait()
        finally:
            listener.request_stop()

    def close(self) -> None:
        """End every stream. Its client resumes at another process."""
        self.closed = True
        self._notify()

    def events_after(self, epoch: str, position: FeedPosition) -> Sequence[StreamEvent] | None:
        """Return the events after a position, or None if the buffer starts later and the database must be read."""
        if epoch != self._epoch or position < self._buffer_start:
            return None
        return self._events[bisect.bisect_right(self._events, position, key=lambda event: event.position) :]

    async def _read_feed(self) -> float:
        """Append new changes to the buffer. Return the seconds until the next read."""
        try:
            if self._epoch is None:
                await self._reset()
            page = await self._query(lambda connection: change_feed.read(connection, self._buffer_end, _PAGE_SIZE))
            if page.epoch != self._epoch:
                await self._reset()
                return 0
        except errors.TransientError as error:
            log.warning("change feed unavailable: %s", error)
            return _IDLE_PAUSE
        self._events += [encode_event(page.epoch, change) for change in page.entries]
        self._buffer_end = page.next_position
        self._buffer_bytes += sum(len(event.frame) for event in self._events[len(self._events) - len(page.entries) :])
        if len(self._events) > 2 * _BUFFER_SIZE or self._buffer_bytes > 2 * _BUFFER_BYTES:
            self._trim_buffer()
        if page.entries:
            self._notify()
        if page.has_more:
            return 0
        return _PENDING_PAUSE if page.has_held_back else _IDLE_PAUSE

    def _trim_buffer(self) -> None:
        kept = kept_bytes = 0
        for event in reversed(self._events[-_BUFFER_SIZE:]):
            if kept_bytes + len(event.frame) > _BUFFER_BYTES:
                break
            kept += 1
            kept_bytes += len(event.frame)
        dropped = len(self._events) - kept
        self._buffer_start, self._buffer_bytes = self._events[dropped - 1].position, kept_bytes
        del self._events[:dropped]

    async def _reset(self) -> None:
        self._epoch, self._buffer_start = await self._query(change_feed.current_position)
        self._buffer_end = self._buffer_start
        self._events, self._buffer_bytes = [], 0
        # Wake the streams: those of the previous epoch end, because they cannot continue.
        self._notify()

    async def _query(self, query: Callable[[Connection], T]) -> T:
        return await anyio.to_thread.run_sync(lambda: self._database.read_and_fence(query), limiter=self._limiter)

    def _notify(self) -> None:
        updated, self.updated = self.updated, asyncio.Event()
        updated.set()
