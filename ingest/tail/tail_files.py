"""Writes the tail to files: directly while the disk is known to be fast, otherwise in a thread with a limited wait."""

import asyncio
import logging
import math
import os
import resource
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from ingest.queue.contract import EntryFields
from ingest.tail.tail_file import FilePart, TailFile, Written
from ingest.writer_position import WriterPosition

MAX_WAIT_SECONDS = 0.05
"""The longest time in seconds that an acknowledgement waits for the disk. After that, no acknowledgement waits until
the disk has caught up.
"""
FAST_SECONDS = 0.01
"""The time in seconds above which a write was slow and delayed all requests, so that the thread does the next ones."""
SLOW_SECONDS = 10.0
"""The time in seconds for which the thread writes after a slow write."""
PROVEN_SECONDS = 0.2
"""The time in seconds after a write for which the disk is known not to hang. Later, the thread does the next write."""
RETRY_SECONDS = 1.0
"""The pause in seconds after an error of the disk."""
FILES = 8
"""The number of files over which TAIL_MAX_BYTES is divided, so that the oldest batches can be deleted."""
READ_SECONDS = 3.0
"""The longest time in seconds to wait for the disk before batches are sent again."""
CLOSE_SECONDS = 1.0
"""The longest time in seconds to wait for the disk at shutdown."""
TOO_SLOW = "the disk is too slow"
_THIS_THREAD = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)

log = logging.getLogger("ingest")
T = TypeVar("T")


class TailFiles:
    """The tail files of this process. A batch that they lack is still in memory."""

    def __init__(self, directory: Path, seconds: float, max_bytes: int, position: WriterPosition) -> None:
        """Start the thread that works on the files, and let it begin a file for the writer of `position`."""
        self._directory = directory
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._position = position
        self._loop = asyncio.get_running_loop()
        self._tasks: SimpleQueue[tuple[Callable[[], object], int] | None] = SimpleQueue()
        self._wakeup = asyncio.Event()
        self.submitted, self._submitted_bytes = 0, 0
        """The newest ticket."""
        self._is_lagging = False
        self._slow_until = 0.0
        self._written_at = -math.inf
        """The time when the last write began."""
        self._logged_reason: str | None = None
        self.cut_at = -math.inf
        """The time when another program was last found to have changed a file, whose batches may be gone."""
        # The attributes below are written by the thread, and by others only while the thread has nothing to do.
        self.finished, self._finished_bytes = 0, 0
        """The newest ticket that is done."""
        self._error: str | None = None
        self._retry_at = 0.0
        self._files: list[TailFile] = []
        self._is_waited_for = False
        self._thread = threading.Thread(target=self._run_tasks, name="tail", daemon=True)
        self._thread.start()
        self.submit(self._begin_file)

    @property
    def unusable_reason(self) -> str | None:
        """The reason why batches are kept only in memory, or None if the files contain all of them."""
        return self._error or (TOO_SLOW if self._is_lagging and self.finished < self.submitted else None)

    def write(self, entries: Sequence[EntryFields], size_bytes: int, at: float) -> Written:
        """Start to write the batches. `at` is the present time, by the monotonic clock."""
        if self.finished == self.submitted:
            self._is_lagging = False
            is_fast = at - self._written_at < PROVEN_SECONDS and at > self._slow_until and at > self._retry_at
            self._written_at = at
            if is_fast and (part := self._write_at_once(entries, at)) is not None:
                return Written(self.finished, part)
        elif self._submitted_bytes - self._finished_bytes > self._max_bytes / FILES:
            self._is_lagging = True
            return Written(self.finished)
        return Written(self.write_later(entries, at, size_bytes))

    def write_later(self, entries: Sequence[EntryFields], at: float, size_bytes: int = 0) -> int:
        """Submit batches that were sent at this time to the thread. Return its ticket."""
        return self.submit(partial(self._append, entries, at), size_bytes)

    def _write_at_once(self, entries: Sequence[EntryFields], at: float) -> FilePart | None:
        """Write without the thread, which costs more than the write itself. Return None if the thread must do it."""
        waits = _count_waits()
        try:
            if not self._files or self._is_used_up(self._files[-1], at):
                return None
            part = self._files[-1].append(entries, at)
        except OSError as error:
            self._fail(error)
            return None
        ended = time.monotonic()
        if ended - at > FAST_SECONDS and _count_waits() > waits:
            self._slow_until = ended + SLOW_SECONDS
        return part

    async def wait(self, ticket: int) -> None:
        """Return when the batches are written, or earlier if the disk is slow."""
        if self.finished >= ticket or self._is_lagging:
            return
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                while True:
                    self._wakeup.clear()
                    self._is_waited_for = True
                    if self.finished >= ticket:
                        return
                    await self._wakeup.wait()
        except TimeoutError:
            self._is_lagging = True

    async def read(self, parts: Sequence[FilePart]) -> dict[FilePart, list[EntryFields]]:
        """Return the batches of each part that can be read. Raises TimeoutError if the disk does not respond."""
        found = Future[dict[FilePart, list[EntryFields]]]()
        self._put(partial(_read, parts, found))
        async with asyncio.timeout(READ_SECONDS):
            return await asyncio.wrap_future(found)

    def maintain(self, position: WriterPosition, keep_since: float) -> None:
        """Delete files whose batches are all older than `keep_since`, and replace files that are gone.

        Call this about once a second.
        """
        if self.finished == self.submitted:
            self._is_lagging = False
            self.submit(partial(self._maintain, position, keep_since))
        reason = self.unusable_reason
        if reason is not None and self._logged_reason is None:
            log.error("the tail is kept in memory only: %s", reason)
        elif reason is None and self._logged_reason is not None:
            log.warning("the tail is written to files again")
        self._logged_reason = reason

    async def close(self) -> None:
        """Release the files for the next process."""
        if self._thread.is_alive():
            self.submit(self._close_files)
            self._tasks.put(None)
            await asyncio.to_thread(self._thread.join, CLOSE_SECONDS)

    def submit(self, work: Callable[[], object], size_bytes: int = 0) -> int:
        """Submit work, which may raise OSError, to the thread. Return its ticket."""
        return self._put(partial(self._do, work), size_bytes)

    def _put(self, work: Callable[[], object], size_bytes: int = 0) -> int:
        self.submitted += 1
        self._submitted_bytes += size_bytes
        self._tasks.put((work, size_bytes))
        return self.submitted

    # The methods below run in the thread. `_do` and `_is_used_up` also run outside it while it has nothing to do.

    def _run_tasks(self) -> None:
        while (task := self._tasks.get()) is not None:
            work, size_bytes = task
            work()
            self.finished += 1
            self._finished_bytes += size_bytes
            if self._is_waited_for:
                self._is_waited_for = False
                self._loop.call_soon_threadsafe(self._wakeup.set)

    def _do(self, work: Callable[[], T]) -> T | None:
        """Do the work, and return its result unless the disk fails. After a failure, work is skipped for a moment."""
        if time.monotonic() < self._retry_at:
            return None
        try:
            result = work()
        except OSError as error:
            self._fail(error)
            return None
        self._error = None
        return result

    def _fail(self, error: OSError) -> None:
        self._error = f"{type(error).__name__}: {os.strerror(error.errno) if error.errno else error}"
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _append(self, entries: Sequence[EntryFields], at: float) -> None:
        newest = self._files[-1] if self._files else self._begin_file()
        if self._is_used_up(newest, at):
            newest = self._begin_file()
        newest.append(entries, at)

    def _is_used_up(self, file: TailFile, at: float) -> bool:
        is_full = file.size_bytes > self._max_bytes / FILES or at - file.begun_at > self._seconds
        return is_full or self._is_torn(file)

    def _is_torn(self, file: TailFile) -> bool:
        if file.detect_change():
            self.cut_at = time.monotonic()
        return file.is_torn

    def _begin_file(self) -> TailFile:
        file = TailFile.create(self._directory, self._position)
        self._files.append(file)
        while sum(file.size_bytes for file in self._files[1:]) > self._max_bytes:
            self._files.pop(0).delete()
        return file

    def _maintain(self, position: WriterPosition, keep_since: float) -> None:
        self._position = position
        newest = self._files[-1] if self._files else None
        is_usable = newest is not None and newest.position.writer == position.writer and not self._is_torn(newest)
        if newest is None or not is_usable or newest.detect_deletion() or newest.is_older_than(keep_since):
            newest = self._begin_file()
        newest.move_to(position)
        for file in [file for file in self._files[:-1] if file.newest_at is None or file.is_older_than(keep_since)]:
            self._files.remove(file)
            file.delete()

    def _close_files(self) -> None:
        for file in self._files:
            file.close()


def _count_waits() -> int:
    """Return how often this thread has waited voluntarily.

    Involuntary switches, as on a busy machine, are not counted.
    """
    return resource.getrusage(_THIS_THREAD).ru_nvcsw


def _read(parts: Iterable[FilePart], found: Future[dict[FilePart, list[EntryFields]]]) -> None:
    if found.set_running_or_notify_cancel():
        found.set_result({part: entries for part in parts if (entries := part.try_read()) is not None})
