"""Adopts the tail files of dead processes, because Redis may lack their last acknowledged events."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from ingest.tail import tail_group
from ingest.tail.orphaned_tail_file import OrphanedTailFile
from ingest.tail.tail import Tail
from ingest.tail.tail_file import SUFFIX
from ingest.tail.tail_group import TailGroup
from ingest.writer_position import FormerWriters

DISK_TIMEOUT_SECONDS = 3.0
"""The longest time in seconds to wait for the disk."""

log = logging.getLogger("ingest")


class OrphanedTails:
    """The tail files of dead processes that this process holds, oldest first. The batches of one file are in memory.

    A file is kept until the tail has forgotten its batches and the end of its writers is reported. If only the report
    is missing, the batches of a file with one writer are deleted. If this process dies, the next one continues.
    """

    def __init__(self, directory: Path, tail: Tail, former_writers: FormerWriters) -> None:
        self._directory = directory
        self._tail = tail
        self._former_writers = former_writers
        self._files: deque[OrphanedTailFile] = deque()
        self._groups: deque[TailGroup] | None = None
        """The groups of the first file that are still to be sent, or None before it was read."""
        self._writers: dict[OrphanedTailFile, set[str]] = {}
        """The writers of each file that was read."""
        self._sent_files: list[OrphanedTailFile] = []
        """Files whose batches were sent, but which are not deleted yet."""

    @property
    def are_held(self) -> bool:
        """True if batches of some files are still to be sent."""
        return bool(self._files)

    @property
    def due_events(self) -> int:
        """The number of events in the file in memory that are still to be sent."""
        return sum(group.events for group in self._groups or ())

    async def adopt(self) -> None:
        """Adopt the files of processes that died since the last call. Raises OSError."""
        async with asyncio.timeout(DISK_TIMEOUT_SECONDS):
            self._files += await asyncio.to_thread(self._find)

    async def first_due(self, max_bytes: int, max_entries: int) -> list[TailGroup]:
        """Return the next batches, as many as can be sent at once."""
        while self._files:
            if self._groups is None:
                self._groups = await self._read(self._files[0])
            if self._groups:
                return tail_group.first(self._groups, max_bytes, max_entries)
            if self._groups is not None:
                self._sent_files.append(self._files[0])
            self._files.popleft()
            self._groups = None
        return []

    def discard_sent(self, groups: Sequence[TailGroup]) -> None:
        """Drop batches that were sent."""
        if self._groups is not None:
            for _ in groups:
                self._groups.popleft()

    async def delete_sent(self) -> None:
        """Delete the files that are no longer needed. Call this regularly."""
        for file in [file for file in self._sent_files if not self._tail.holds(file)]:
            with contextlib.suppress(OSError):
                async with asyncio.timeout(DISK_TIMEOUT_SECONDS):
                    await self._delete(file)

    async def _delete(self, file: OrphanedTailFile) -> None:
        writers = self._writers[file]
        if writers.isdisjoint(self._former_writers.positions):
            await asyncio.to_thread(file.delete)
            self._sent_files.remove(file)
            del self._writers[file]
        elif len(writers) == 1:  # the position of another writer is known from its batches
            await asyncio.to_thread(file.delete_batches)

    def close(self) -> None:
        """Release the files for the next process."""
        for file in (*self._files, *self._sent_files):
            file.close()

    def _find(self) -> list[OrphanedTailFile]:
        held = {file.path for file in (*self._files, *self._sent_files)}
        paths = [path for path in sorted(self._directory.glob(f"*{SUFFIX}")) if path not in held]
        return [file for path in paths if (file := OrphanedTailFile.try_adopt(path)) is not None]

    async def _read(self, file: OrphanedTailFile) -> deque[TailGroup] | None:
        """Return the contents of the file. If it cannot be read, return None and release it to be adopted again."""
        try:
            async with asyncio.timeout(DISK_TIMEOUT_SECONDS):
                positions, groups = await asyncio.to_thread(file.read)
        except OSError:
            log.exception("the tail file %s cannot be read", file.path.name)
            file.close()
            return None
        self._writers[file] = {position.writer for position in positions}
        for position in positions:
            self._former_writers.add(position)
        if groups:
            events = sum(group.events for group in groups)
            log.info("resending the last %d events of a process that ended", events)
        return deque(groups)
