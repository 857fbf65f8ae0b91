"""The spool: a place on this machine's disk for batches that Redis does not take, held off the event loop."""

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

from ingest.spool_file import SUFFIX, Spooled, SpoolFile, size_of

DEADLINE = 3.0
"""Seconds within which the disk must have a batch."""

log = logging.getLogger("ingest")
T = TypeVar("T")


class SpoolError(Exception):
    """The spool does not take the batch."""

    def __init__(self, reason: str, *, doubtful: bool) -> None:
        super().__init__(reason)
        self.doubtful = doubtful
        """Whether the batch may be in it all the same."""


@dataclass(frozen=True, slots=True)
class Portion:
    """What is next to go, all from one file."""

    file: SpoolFile
    batches: list[Spooled]


class Spool:
    """This process's file, and the files of processes that died, which it drains first."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        # One thread: SQLite's connections stay in it, and batches reach the disk in the order of their numbers.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._own: SpoolFile | None = None
        self._adopted: list[SpoolFile] = []
        self.trouble: str | None = None
        """Why the spool cannot be used; None while it can."""

    @property
    def events(self) -> int:
        """How many events wait in the files that this process holds."""
        return sum(file.events for file in self._files())

    @property
    def size(self) -> int:
        """How much they count against the bound."""
        return sum(file.size for file in self._files())

    def _files(self) -> list[SpoolFile]:
        return [*self._adopted, *([self._own] if self._own else [])]

    async def open(self) -> None:
        """Hold a file, if the folder lets us; otherwise `trouble` says why not, and `append` tries again."""
        with contextlib.suppress(SpoolError):
            await self._in_thread(self._hold)

    async def append(self, fields: Mapping[bytes, bytes], events: int) -> None:
        """Return when the disk has the batch; raises SpoolError."""
        if self.size + size_of(fields) > self.max_bytes:
            raise SpoolError("full", doubtful=False)
        if self._own is None:
            await self._in_thread(self._hold)
        await self._in_thread(self._append, fields, events, doubtful=True)

    async def oldest(self, size: int) -> Portion | None:
        """What is next to go, of about this size at most; None if nothing waits. Raises SpoolError."""
        return await self._in_thread(self._oldest, size)

    async def remove(self, portion: Portion) -> None:
        """Forget what the stream has confirmed. Raises SpoolError."""
        await self._in_thread(self._remove, portion)

    async def adopt(self) -> None:
        """Take over files of processes that died, and have one of our own. Raises SpoolError."""
        await self._in_thread(self._look_around)

    async def close(self) -> None:
        """Let go of all files; what is in them waits for the next process."""
        with contextlib.suppress(SpoolError):
            await self._in_thread(self._let_go)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[..., T], *arguments: object, doubtful: bool = False) -> T:
        future = asyncio.get_running_loop().run_in_executor(self._thread, functools.partial(work, *arguments))
        try:
            async with asyncio.timeout(DEADLINE):
                result = await future
        except TimeoutError:
            self._in_trouble("the disk does not answer")
            raise SpoolError("timeout", doubtful=doubtful) from None
        except (sqlite3.Error, OSError) as error:
            self._in_trouble(f"{type(error).__name__}: {_words(error)}")
            raise SpoolError("disk", doubtful=doubtful) from error
        self.trouble = None
        return result

    def _in_trouble(self, words: str) -> None:
        if self.trouble is None:
            log.error("the spool cannot be used: %s", words)
        self.trouble = words

    # What follows runs in the thread.

    def _hold(self) -> SpoolFile:
        if self._own is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A file that a dead process left is as good as a new one, and restarts do not make them more.
            self._adopt()
            self._own = self._adopted.pop() if self._adopted else self._try(self.folder / _new_name())
        if self._own is None:
            raise FileExistsError("no spool file could be made")
        return self._own

    def _look_around(self) -> None:
        self._hold()
        if not os.access(self.folder, os.W_OK):
            raise PermissionError(errno.EACCES, "not writable")
        self._adopt()

    def _adopt(self) -> None:
        for path in sorted(self.folder.glob("*" + SUFFIX), key=lambda path: path.name):
            file = self._try(path)
            if file is not None:
                self._adopted.append(file)

    def _try(self, path: Path) -> SpoolFile | None:
        try:
            return SpoolFile.hold(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            _set_aside(path)
            return None

    def _append(self, fields: Mapping[bytes, bytes], events: int) -> None:
        self._guarded(self._hold(), lambda file: file.append(fields, events))

    def _oldest(self, size: int) -> Portion | None:
        for file in self._files():
            batches = self._guarded(file, lambda file: file.oldest(size))
            if batches:
                return Portion(file, batches)
            self._finish(file)
        return None

    def _remove(self, portion: Portion) -> None:
        self._guarded(portion.file, lambda file: file.remove(portion.batches))
        if not portion.file.size:
            self._finish(portion.file)

    def _finish(self, file: SpoolFile) -> None:
        if file in self._adopted:
            self._adopted.remove(file)
            file.discard()

    def _guarded(self, file: SpoolFile, work: Callable[[SpoolFile], T]) -> T:
        """Do it; a file that turns out to be damaged is set aside, never removed, and the next batch gets another."""
        try:
            return work(file)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            if file is self._own:
                self._own = None
            else:
                self._adopted.remove(file)
            file.close()
            _set_aside(file.path)
            raise

    def _let_go(self) -> None:
        for file in self._files():
            if file.size:
                file.close()
            else:
                file.discard()
        self._adopted.clear()
        self._own = None


def _new_name() -> str:
    # Starts with the time, so that files are drained in the order of their making.
    return f"{int(time.time()):012d}-{secrets.token_hex(4)}{SUFFIX}"


def _set_aside(path: Path) -> None:
    log.error("the spool file %s is damaged and is kept as %s", path.name, path.name + ".damaged")
    for suffix in ("", "-wal"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(f"{path.name}.damaged{suffix}"))


def _words(error: Exception) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
