"""Writes batches to a tail file in the order in which they were sent to the stream.

The file is written but never synced, so it survives the process but not the host. Its size is checked before each
write, because another program may have cut it. A lock that ends with the process distinguishes the file of a dead
process from that of a running one (`orphaned_tail_file.py`).
"""

import errno
import fcntl
import json
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, Self

from environment import private_file
from ingest.queue.contract import EntryFields
from ingest.tail import tail_record
from ingest.writer_position import WriterPosition

SUFFIX = ".tail"
MAX_PARTS = 1024
"""The number of buffers that Linux writes in one call."""

log = logging.getLogger("ingest")


class TailFile:
    """A file that this process writes. Every method may raise OSError."""

    def __init__(self, path: Path, fd: int, position: WriterPosition) -> None:
        """Start the file with the position of the writer whose batches follow."""
        self.path = path
        self.position = position
        self.size_bytes = 0
        self.begun_at = time.monotonic()
        self.is_torn = False
        """True if the file may contain a part of a record, after a failed write or a change by another program. Nothing
        after that part can be read.
        """
        self.is_deleted = False
        self.newest_at: float | None = None
        """The time when the newest batch was sent or confirmed, by the monotonic clock, or None if there are no
        batches.
        """
        self._fd = fd
        self._write([_to_entry(position)])

    @classmethod
    def create(cls, directory: Path, position: WriterPosition) -> Self:
        """Create a file that is locked for this process."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / f"{time.time_ns():020d}-{position.writer}{SUFFIX}"
        fd = private_file.open_descriptor(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls(path, fd, position)
        except BaseException:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise

    def detect_deletion(self) -> bool:
        """Return whether the path no longer leads to this file, and report it."""
        try:
            is_gone = self.path.stat().st_ino != os.fstat(self._fd).st_ino
        except FileNotFoundError:
            is_gone = True
        if is_gone:
            log.error(
                "another program deleted the tail file %s: its events are not sent again if both Redis and this "
                "process end now. New events go to another file. Keep other programs out of SPOOL_DIR.",
                self.path.name,
            )
        return is_gone

    def detect_change(self) -> bool:
        """Return whether another program has changed the size of the file since the last call, and report it."""
        if self.is_torn or os.lseek(self._fd, 0, os.SEEK_END) == self.size_bytes:
            return False
        self.is_torn = True
        log.error(
            "another program changed the tail file %s: its events are not sent again if Redis loses them now. "
            "New events go to another file. Keep other programs out of SPOOL_DIR.",
            self.path.name,
        )
        return True

    def is_older_than(self, keep_since: float) -> bool:
        """Return whether its newest batch was sent or confirmed before `keep_since`."""
        return self.newest_at is not None and self.newest_at < keep_since

    def move_to(self, position: WriterPosition) -> None:
        """Replace the position that the file begins with, unless batches follow it."""
        if self.newest_at is None and position != self.position:
            self.position = position
            self.size_bytes = os.lseek(self._fd, 0, os.SEEK_SET)
            self._write([_to_entry(position)])  # never shorter than before

    def append(self, entries: Sequence[EntryFields], at: float) -> "FilePart":
        """Write the batches, which were sent to the stream at this time by the monotonic clock."""
        self.newest_at = at
        return FilePart(self, *self._write(entries), len(entries))

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`, or fewer."""
        return os.pread(self._fd, end - start, start)

    def close(self) -> None:
        """Release the file, so that another process may adopt it."""
        os.close(self._fd)

    def delete(self) -> None:
        """Delete the file."""
        self.is_deleted = True
        self.path.unlink(missing_ok=True)
        os.close(self._fd)

    def _write(self, entries: Sequence[EntryFields]) -> tuple[int, int]:
        """Write the entries. Return the positions before and after them."""
        parts = tail_record.pack(entries)
        if len(parts) > MAX_PARTS:
            parts = [b"".join(parts)]
        start, size = self.size_bytes, sum(map(len, parts))
        self.is_torn = True
        if os.writev(self._fd, parts) != size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.is_torn = False
        self.size_bytes += size
        return start, self.size_bytes


def _to_entry(position: WriterPosition) -> EntryFields:
    return {b"head": json.dumps(asdict(position)).encode(), b"bodies": b""}


class FilePart(NamedTuple):
    """The part of a file of this process that contains some batches."""

    file: TailFile
    start: int
    end: int
    batches: int

    def try_read(self) -> list[EntryFields] | None:
        """Return the batches, or None if the file no longer contains them or the disk fails."""
        if self.file.is_deleted:
            return None
        try:
            entries = list(tail_record.unpack(self.file.read(self.start, self.end)))
        except OSError:
            return None
        return entries if len(entries) == self.batches else None


class Written(NamedTuple):
    """Batches that are written to a file, or will be."""

    ticket: int
    """The work of the thread after which they are written."""
    part: FilePart | None = None
    """The part that contains them, if they are written already."""
