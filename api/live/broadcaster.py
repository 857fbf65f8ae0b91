"""The newest changes, read once for all the streams of this process."""

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
from store.postgres import errors
from store.postgres.connections import Connection
from store.reading import change_feed
from store.reading.change_feed import FeedEntry, FeedPosition

T = TypeVar("T")

log = logging.getLogger(__name__)

_BUFFER_SIZE = 5_000
"""Changes that a stream may lie behind and still be served from memory; beyond, it reads the database itself."""
_PAGE_SIZE = 500
_PENDING_PAUSE, _IDLE_PAUSE = 0.02, 1.0
"""Seconds between two looks while a running transaction keeps changes back, and while nothing is known to come.
The second is for a pooler between us and PostgreSQL that swallows notifications."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """A change as a stream sends it."""

    position: FeedPosition
    session_id: str | None
    frame: bytes


def encode_event(epoch: str, change: FeedEntry) -> StreamEvent:
    lines = f"id: {change_ids.encode(epoch, change.position)}\ndata: {change.json}\n\n"
    return StreamEvent(change.position, change.session_id, lines.encode())


class Broadcaster:
    """Runs from the beginning of the application to its end; streams take from it what they have not sent yet."""

    def __init__(self, database: Database) -> None:
        self.closed = False
        self.updated = asyncio.Event()
        """Set, and replaced by a new one, when there are new events or an end."""
        self._database = database
        self._limiter = anyio.CapacityLimiter(1)
        self._wakeup = asyncio.Event()
        self._epoch: str | None = None
        self._events: list[StreamEvent] = []
        # What lies after the first and up to the second is in the events, without a gap.
        self._buffer_start = self._buffer_end = FeedPosition(0, 0)

    async def run(self) -> None:
        """Read until cancelled; a database that is away is waited for."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            # The loop may have ended first.
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
        """Let every stream end: its client resumes at another process."""
        self.closed = True
        self._notify()

    def events_after(self, epoch: str, position: FeedPosition) -> Sequence[StreamEvent] | None:
        """What came after a place; None if that is not known here and the database has to be asked."""
        if epoch != self._epoch or position < self._buffer_start:
            return None
        return self._events[bisect.bisect_right(self._events, position, key=lambda one: one.position) :]

    async def _read_feed(self) -> float:
        """Take in what is new; returns how long to wait for more."""
        try:
            if self._epoch is None:
                await self._reset()
            delivery = await self._query(lambda connection: change_feed.read(connection, self._buffer_end, _PAGE_SIZE))
            if delivery.epoch != self._epoch:
                await self._reset()
                return 0
        except errors.TransientError as error:
            log.warning("the feed cannot be read: %s", error)
            return _IDLE_PAUSE
        self._events += [encode_event(delivery.epoch, change) for change in delivery.entries]
        self._buffer_end = delivery.next_position
        if len(self._events) > 2 * _BUFFER_SIZE:
            self._buffer_start = self._events[-_BUFFER_SIZE - 1].position
            del self._events[:-_BUFFER_SIZE]
        if delivery.entries:
            self._notify()
        if delivery.has_more:
            return 0
        return _PENDING_PAUSE if delivery.has_held_back else _IDLE_PAUSE

    async def _reset(self) -> None:
        self._epoch, self._buffer_start = await self._query(change_feed.current_position)
        self._buffer_end = self._buffer_start
        self._events = []
        # Streams of another epoch find out that there is no way on.
        self._notify()

    async def _query(self, query: Callable[[Connection], T]) -> T:
        return await anyio.to_thread.run_sync(lambda: self._database.read_and_fence(query), limiter=self._limiter)

    def _notify(self) -> None:
        news, self.updated = self.updated, asyncio.Event()
        news.set()
