"""Reads and deletes the tail file of a dead process."""

import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ingest.queue import contract
from ingest.queue.contract import EntryFields
from ingest.tail import tail_record
from ingest.tail.tail_group import OVERHEAD_BYTES, TailGroup
from ingest.tail.tail_record import PREFIX_BYTES
from ingest.writer_position import WriterPosition

EMPTY_AFTER_SECONDS = 60.0
"""The age in seconds after which a file without a position does not belong to a process that is just starting it."""


@dataclass(frozen=True, slots=True)
class OrphanedTailFile:
    """The file of a dead process, held by this process."""

    path: Path
    fd: int

    @classmethod
    def try_adopt(cls, path: Path) -> Self | None:
        """Return the file, or None if its process is running or another one has adopted it. Raises OSError."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(fd)
            is_begun = status.st_size or time.time() - status.st_mtime > EMPTY_AFTER_SECONDS
            if is_begun and path.stat().st_ino == status.st_ino:
                return cls(path, fd)
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return None

    def read(self) -> tuple[list[WriterPosition], list[TailGroup]]:
        """Return the newest known positions of the file's writers, and its batches up to the first damaged one."""
        own_writer = self.path.stem.rpartition("-")[2]
        positions = {own_writer: WriterPosition(own_writer)}
        entries = list(tail_record.unpack(self.path.read_bytes()))
        if entries:
            positions[own_writer] = WriterPosition(**json.loads(entries[0][b"head"]))
        groups = [_make_group(positions, entry, self) for entry in entries[1:]]
        return list(positions.values()), groups

    def close(self) -> None:
        """Release the file."""
        os.close(self.fd)

    def delete_batches(self) -> None:
        """Shorten the file to the position that it begins with. Repeating this changes nothing."""
        prefix = os.pread(self.fd, PREFIX_BYTES, 0)
        if len(prefix) == PREFIX_BYTES and os.fstat(self.fd).st_size > (size := tail_record.size_of(prefix)):
            os.truncate(self.path, size)

    def delete(self) -> None:
        """Delete the file after its batches were sent to the stream."""
        self.path.unlink(missing_ok=True)
        os.close(self.fd)


def _make_group(positions: dict[str, WriterPosition], entry: EntryFields, orphan: OrphanedTailFile) -> TailGroup:
    """Return the entry as a group of that file, and advance `positions` to its batch."""
    size = len(entry[b"head"]) + len(entry[b"bodies"]) + OVERHEAD_BYTES
    try:
        batch = contract.from_fields(entry)
    except contract.UnreadableEntryError:
        return TailGroup([entry], 0, size, orphan=orphan)  # written by a newer version
    if batch.number > positions.get(batch.writer, WriterPosition(batch.writer)).number:
        positions[batch.writer] = WriterPosition(batch.writer, batch.number, batch.acknowledged_events)
    return TailGroup([entry], len(batch.bodies), size, orphan=orphan)
