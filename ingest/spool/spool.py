"""Stores batches that Redis does not confirm on this machine's disk, in a thread beside the event loop."""

import asyncio
import contextlib
import functools
import logging
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ingest.errors import NotConfirmedError
from ingest.queue.contract import EntryFields
from ingest.spool import spool_folder
from ingest.spool.spool_file import accounted_bytes
from ingest.spool.spool_folder import SpoolChunk, SpoolFolder

DISK_TIMEOUT_SECONDS = 3.0
"""The time in seconds within which the disk must confirm a write."""
POLL_SECONDS = 0.01

log = logging.getLogger("ingest")
T = TypeVar("T")


class SpoolError(NotConfirmedError):
    """The spool did not confirm the batch."""


class Spool:
    """The files of this process and those adopted from dead processes, which are drained first."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        # A single thread, because SQLite's connections belong to a thread, and batches must reach the disk in the order
        # of their numbers.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._overdue: Future[Any] | None = None
        """The call that the disk did not complete in time."""
        self._folder = SpoolFolder(directory)
        self.unusable_reason: str | None = None
        """The reason why the disk does not accept every write, or None if it does."""

    @property
    def has_unconfirmed(self) -> bool:
        """True if a batch waits for the stream."""
        return any(file.has_unconfirmed for file in self._folder.files)

    @property
    def events(self) -> int:
        """The number of events that wait for the stream."""
        return sum(file.events for file in self._folder.files)

    @property
    def size_bytes(self) -> int:
        """The size of these events in bytes, as counted against the limit."""
        return sum(file.size_bytes for file in self._folder.files)

    @property
    def unopened_files(self) -> Mapping[str, str]:
        """Files of dead processes that cannot be opened, with the reason."""
        return self._folder.unopened

    async def open(self) -> None:
        """Open a file. If this fails, `unusable_reason` is set and `append` tries again."""
        with contextlib.suppress(SpoolError):
            await self.maintain()

    async def append(self, fields: EntryFields, events: int) -> None:
        """Write the batch and return once it is on the disk. Raises SpoolError."""
        if self.size_bytes + accounted_bytes(fields) > self.max_bytes:
            raise SpoolError("full", may_be_stored=False)
        await self._run_in_thread(self._folder.append, fields, events, may_be_stored=True)
        if self._folder.has_unsaved_file:
            self._thread.submit(self._folder.save_removed_files)  # failures are tried again by `maintain`
        if self._folder.has_reserve:
            self.unusable_reason = None
        else:
            self._mark_unusable("the disk is nearly full")

    async def read_oldest(self, max_bytes: int, max_batches: int) -> SpoolChunk | None:
        """Return the oldest batches, up to about this size and number, or None if the spool is empty.

        Raises SpoolError.
        """
        return await self._run_in_thread(self._folder.read_oldest, max_bytes, max_batches)

    async def remove(self, chunk: SpoolChunk) -> None:
        """Skip a chunk that the stream has confirmed, and remove its file if it has no other. Raises SpoolError."""
        await self._run_in_thread(self._folder.remove, chunk)

    async def maintain(self) -> None:
        """Adopt files of dead processes, save the batches in removed files, and reserve room. Raises SpoolError."""
        await self._run_in_thread(self._folder.maintain)
        self.unusable_reason = None

    async def close(self) -> None:
        """Release all files. Their batches wait for the next process."""
        with contextlib.suppress(SpoolError):
            await self._run_in_thread(self._folder.close)
        self._thread.shutdown(wait=False)

    async def _run_in_thread(self, work: Callable[..., T], *arguments: object, may_be_stored: bool = False) -> T:
        submitted: Future[T] | None = None
        try:
            async with asyncio.timeout(DISK_TIMEOUT_SECONDS):
                # Batches must not pile up behind a disk that hangs.
                while self._overdue is not None and not self._overdue.done():  # noqa: ASYNC110 - a thread's future
                    await asyncio.sleep(POLL_SECONDS)
                submitted = self._thread.submit(functools.partial(work, *arguments))
                return await asyncio.wrap_future(submitted)
        except TimeoutError:
            started = submitted is not None and not submitted.cancelled()
            if started:
                self._overdue = submitted
            self._mark_unusable("the disk does not respond")
            raise SpoolError("timeout", may_be_stored=may_be_stored and started) from None
        except (sqlite3.Error, OSError) as error:
            self._mark_unusable(spool_folder.describe(error))
            raise SpoolError("disk", may_be_stored=may_be_stored and not spool_folder.is_full(error)) from error

    def _mark_unusable(self, reason: str) -> None:
        if self.unusable_reason is None:
            log.error("the spool cannot be used: %s", reason)
        self.unusable_reason = reason
