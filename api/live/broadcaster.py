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

from api.http.database import Backend
from api.live import change_ids
from store.feed.listener import Listener
from store.postgres import errors
from store.postgres.connections import Connection
from store.reading import change_feed
from store.reading.change_feed import Change, Place

T = TypeVar("T")

log = logging.getLogger(__name__)

_KEPT = 5_000
"""Changes that a stream may lie behind and still be served from memory; beyond, it reads the database itself."""
_PAGE = 500
_SOON, _LATE = 0.02, 1.0
"""Seconds between two looks while a running transaction keeps changes back, and while nothing is known to come.
The second is for a pooler between us and PostgreSQL that swallows notifications."""


@dataclass(frozen=True, slots=True)
class Event:
    """A change as a stream sends it."""

    place: Place
    session_id: str | None
    lines: bytes


def event(epoch: str, change: Change) -> Event:
    lines = f"id: {change_ids.seal(epoch, change.place)}\ndata: {change.text}\n\n"
    return Event(change.place, change.session_id, lines.encode())


class Hub:
    """Runs from the beginning of the application to its end; streams take from it what they have not sent yet."""

    def __init__(self, backend: Backend) -> None:
        self.closed = False
        self.news = asyncio.Event()
        """Set, and replaced by a new one, when there are new events or an end."""
        self._backend = backend
        self._threads = anyio.CapacityLimiter(1)
        self._woken = asyncio.Event()
        self._epoch: str | None = None
        self._events: list[Event] = []
        # What lies after the first and up to the second is in the events, without a gap.
        self._since = self._upto = Place(0, 0)

    async def run(self) -> None:
        """Read until cancelled; a database that is away is waited for."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            # The loop may have ended first.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._woken.set)

        listener = Listener(self._backend.settings.direct_url, wake)
        listener.start()
        try:
            while True:
                self._woken.clear()
                pause = await self._read()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._woken.wait()
        finally:
            listener.tell_to_stop()

    def close(self) -> None:
        """Let every stream end: its client resumes at another process."""
        self.closed = True
        self._tell()

    def after(self, epoch: str, place: Place) -> Sequence[Event] | None:
        """What came after a place; None if that is not known here and the database has to be asked."""
        if epoch != self._epoch or place < self._since:
            return None
        return self._events[bisect.bisect_right(self._events, place, key=lambda one: one.place) :]

    async def _read(self) -> float:
        """Take in what is new; returns how long to wait for more."""
        try:
            if self._epoch is None:
                await self._begin()
            delivery = await self._ask(lambda connection: change_feed.read(connection, self._upto, _PAGE))
            if delivery.epoch != self._epoch:
                await self._begin()
                return 0
        except errors.TransientError as error:
            log.warning("the feed cannot be read: %s", error)
            return _LATE
        self._events += [event(delivery.epoch, change) for change in delivery.changes]
        self._upto = delivery.upto
        if len(self._events) > 2 * _KEPT:
            self._since = self._events[-_KEPT - 1].place
            del self._events[:-_KEPT]
        if delivery.changes:
            self._tell()
        if delivery.more:
            return 0
        return _SOON if delivery.hidden else _LATE

    async def _begin(self) -> None:
        self._epoch, self._since = await self._ask(change_feed.now)
        self._upto = self._since
        self._events = []
        # Streams of another epoch find out that there is no way on.
        self._tell()

    async def _ask(self, question: Callable[[Connection], T]) -> T:
        return await anyio.to_thread.run_sync(lambda: self._backend.tell(question), limiter=self._threads)

    def _tell(self) -> None:
        news, self.news = self.news, asyncio.Event()
        news.set()
