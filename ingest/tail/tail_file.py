"""A tail file: batches in the order in which they were sent to the stream.

It is written but never synced, so it survives the process but not the host. A lock that ends with the process
distinguishes the file of a dead process from that of a running one (`orphaned_tail_file.py`).
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, Self

from environment import private_file
from ingest.tail import tail_record
from ingest.tail.tail_record import Entry
from ingest.writer_position import WriterPosition

SUFFIX = ".tail"


class TailFile:
    """A file that this process writes. Every method may raise OSError."""

    def __init__(self, path: Path, fd: int, position: WriterPosition) -> None:
        """Start the file with the position of the writer whose batches follow."""
        self.path = path
        self.writer = position.writer
        self.size_bytes = 0
        self.begun_at = time.monotonic()
        self.is_torn = False
        """Whether a write failed, which may have left a part of a record: nothing after it can be read."""
        self.is_deleted = False
        self.newest_at: float | None = None
        """When the newest batch was sent or confirmed, by the monotonic clock; None without batches."""
        self._fd = fd
        self._write([{b"head": json.dumps(asdict(position)).encode(), b"bodies": b""}])

    @classmethod
    def create(cls, directory: Path, position: WriterPosition) -> Self:
        """Create a file that is locked for this process."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / f"{time.time_ns():020d}-{position.writer}{SUFFIX}"
        fd = private_file.open_descriptor(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls(path, fd, position)
        except BaseException:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise

    @property
    def is_gone(self) -> bool:
        """True if the path no longer leads to this file."""
        try:
            return self.path.stat().st_ino != os.fstat(self._fd).st_ino
        except FileNotFoundError:
            return True

    def append(self, entries: Sequence[Entry], at: float) -> "FilePart":
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

    def _write(self, entries: Sequence[Entry]) -> tuple[int, int]:
        """Write the entries. Return the positions before and after them."""
        parts = tail_record.pack(entries)
        start, size = self.size_bytes, sum(map(len, parts))
        self.is_torn = True
        if os.writev(self._fd, parts) != size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.is_torn = False
        self.size_bytes += size
        return start, self.size_bytes


class FilePart(NamedTuple):
    """The part of a file of this process that contains some batches."""

    file: TailFile
    start: int
    end: int
    batches: int

    def try_read(self) -> list[Entry] | None:
        """Return the batches, or None if the file no longer contains them or the disk fails."""
        if self.file.is_deleted:
            return None
        try:
            entries = list(tail_record.unpack(self.file.read(self.start, self.end)))
        except OSError:
            return None
        return entries if len(entries) == self.batches else None
