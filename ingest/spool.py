"""Stores batches that Redis does not confirm on this machine's disk, in a thread beside the event loop."""

import asyncio
import contextlib
import errno
import functools
import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ingest.errors import NotConfirmedError
from ingest.spool_file import SUFFIX, SpooledBatch, SpoolFile, accounted_bytes

DISK_TIMEOUT_SECONDS = 3.0
"""Seconds within which the disk must confirm a write."""

log = logging.getLogger("ingest")
T = TypeVar("T")


class SpoolError(NotConfirmedError):
    """The spool did not confirm the batch."""


@dataclass(frozen=True, slots=True)
class SpoolChunk:
    """The oldest batches of one file."""

    file: SpoolFile
    batches: list[SpooledBatch]


class Spool:
    """This process's file, and files adopted from dead processes, which are drained first."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        # One thread: SQLite's connections stay in it, and batches reach the disk in the order of their numbers.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._own_file: SpoolFile | None = None
        self._adopted_files: list[SpoolFile] = []
        self.unusable_reason: str | None = None
        """Why the spool cannot be used; None while it can."""

    @property
    def events(self) -> int:
        """Events in the files that this process holds."""
        return sum(file.events for file in self._files())

    @property
    def size_bytes(self) -> int:
        """Their bytes, as counted against the limit."""
        return sum(file.size_bytes for file in self._files())

    def _files(self) -> list[SpoolFile]:
        return [*self._adopted_files, *([self._own_file] if self._own_file else [])]

    async def open(self) -> None:
        """Open a file; on failure `unusable_reason` is set and `append` tries again."""
        with contextlib.suppress(SpoolError):
            await self._run_in_thread(self._ensure_own_file)

    async def append(self, fields: Mapping[bytes, bytes], events: int) -> None:
        """Return once the batch is on the disk; raises SpoolError."""
        if self.size_bytes + accounted_bytes(fields) > self.max_bytes:
            raise SpoolError("full", may_be_stored=False)
        if self._own_file is None:
            await self._run_in_thread(self._ensure_own_file)
        await self._run_in_thread(self._append, fields, events, may_be_stored=True)

    async def read_oldest(self, max_bytes: int) -> SpoolChunk | None:
        """The oldest batches, up to about this size; None if the spool is empty. Raises SpoolError."""
        return await self._run_in_thread(self._read_oldest, max_bytes)

    async def remove(self, chunk: SpoolChunk) -> None:
        """Delete a chunk that the stream has confirmed. Raises SpoolError."""
        await self._run_in_thread(self._remove, chunk)

    async def adopt_orphans(self) -> None:
        """Adopt files of dead processes, and open a file of this process's own. Raises SpoolError."""
        await self._run_in_thread(self._check_and_adopt)

    async def close(self) -> None:
        """Release all files; their batches wait for the next process."""
        with contextlib.suppress(SpoolError):
            await self._run_in_thread(self._close_files)
        self._thread.shutdown(wait=False)

    async def _run_in_thread(self, work: Callable[..., T], *arguments: object, may_be_stored: bool = False) -> T:
        future = asyncio.get_running_loop().run_in_executor(self._thread, functools.partial(work, *arguments))
        try:
            async with asyncio.timeout(DISK_TIMEOUT_SECONDS):
                result = await future
        except TimeoutError:
            self._mark_unusable("the disk does not respond")
            raise SpoolError("timeout", may_be_stored=may_be_stored) from None
        except (sqlite3.Error, OSError) as error:
            text = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            self._mark_unusable(f"{type(error).__name__}: {text}")
            raise SpoolError("disk", may_be_stored=may_be_stored) from error
        self.unusable_reason = None
        return result

    def _mark_unusable(self, reason: str) -> None:
        if self.unusable_reason is None:
            log.error("the spool cannot be used: %s", reason)
        self.unusable_reason = reason

    # The methods below run in the thread.

    def _ensure_own_file(self) -> SpoolFile:
        if self._own_file is None:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Reuses a dead process's file, so that restarts do not add files.
            self._adopt_orphans()
            # The name starts with the time, so that files are drained in order of creation.
            path = self.directory / f"{int(time.time()):012d}-{secrets.token_hex(4)}{SUFFIX}"
            self._own_file = self._adopted_files.pop() if self._adopted_files else self._try_open(path)
        if self._own_file is None:
            raise FileExistsError("no spool file could be created")
        return self._own_file

    def _check_and_adopt(self) -> None:
        self._ensure_own_file()
        if not os.access(self.directory, os.W_OK):
            raise PermissionError(errno.EACCES, "not writable")
        self._adopt_orphans()

    def _adopt_orphans(self) -> None:
        for path in sorted(self.directory.glob(f"*{SUFFIX}")):
            if (file := self._try_open(path)) is not None:
                self._adopted_files.append(file)

    def _try_open(self, path: Path) -> SpoolFile | None:
        try:
            return SpoolFile.try_open(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            _quarantine(path)
            return None

    def _append(self, fields: Mapping[bytes, bytes], events: int) -> None:
        self._quarantining(self._ensure_own_file(), lambda file: file.append(fields, events))

    def _read_oldest(self, max_bytes: int) -> SpoolChunk | None:
        for file in self._files():
            batches = self._quarantining(file, lambda file: file.read_oldest(max_bytes))
            if batches:
                return SpoolChunk(file, batches)
            self._discard_adopted(file)
        return None

    def _remove(self, chunk: SpoolChunk) -> None:
        self._quarantining(chunk.file, lambda file: file.remove(chunk.batches))
        if not chunk.file.size_bytes:
            self._discard_adopted(chunk.file)

    def _discard_adopted(self, file: SpoolFile) -> None:
        if file in self._adopted_files:
            self._adopted_files.remove(file)
            file.delete()

    def _quarantining(self, file: SpoolFile, work: Callable[[SpoolFile], T]) -> T:
        """Run `work`; a damaged file is set aside, never deleted, and the next batch gets a new file."""
        try:
            return work(file)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            if file is self._own_file:
                self._own_file = None
            else:
                self._adopted_files.remove(file)
            file.close()
            _quarantine(file.path)
            raise

    def _close_files(self) -> None:
        for file in self._files():
            if file.size_bytes:
                file.close()
            else:
                file.delete()
        self._adopted_files.clear()
        self._own_file = None


def _quarantine(path: Path) -> None:
    log.error("the spool file %s is damaged and was renamed to %s", path.name, path.name + ".damaged")
    for suffix in ("", "-wal"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(f"{path.name}.damaged{suffix}"))
