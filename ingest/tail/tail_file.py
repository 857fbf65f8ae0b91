"""A tail file: batches in the order in which they were sent to the stream, each with a checksum.

It is written but never synced, so it survives the process but not the host. A lock that ends with the process
distinguishes the file of a dead process from that of a running one.
"""

import errno
import fcntl
import json
import os
import struct
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from environment import private_file
from ingest.queue import contract
from ingest.tail.tail_group import OVERHEAD_BYTES, Entry, TailGroup
from ingest.writer_position import WriterPosition

SUFFIX = ".tail"
EMPTY_AFTER_SECONDS = 60.0
"""The age in seconds after which a file without a position does not belong to a process that is just starting it."""
_RECORD = struct.Struct("<III")
"""Precedes each record: the lengths of its head and its bodies, and the CRC-32 of both."""


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
        self.newest_at: float | None = None
        """When the newest batch was sent, by the monotonic clock; None without batches."""
        self._fd = fd
        self._write([{b"head": json.dumps(asdict(position)).encode(), b"bodies": b""}])

    @classmethod
    def create(cls, directory: Path, position: WriterPosition) -> Self:
        """Create a file that is locked for this process."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / f"{time.time_ns():020d}-{position.writer}{SUFFIX}"
        fd = private_file.open_descriptor(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL)
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

    def append(self, entries: Sequence[Entry], at: float) -> None:
        """Write the batches, which were sent to the stream at this time by the monotonic clock."""
        self.newest_at = at
        self._write(entries)

    def close(self) -> None:
        """Release the file, so that another process may adopt it."""
        os.close(self._fd)

    def delete(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)
        os.close(self._fd)

    def _write(self, entries: Sequence[Entry]) -> None:
        parts: list[bytes] = []
        for entry in entries:
            head, bodies = entry[b"head"], entry[b"bodies"]
            parts += (_RECORD.pack(len(head), len(bodies), zlib.crc32(bodies, zlib.crc32(head))), head, bodies)
        size = sum(map(len, parts))
        self.is_torn = True
        if os.writev(self._fd, parts) != size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.is_torn = False
        self.size_bytes += size


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
        data = memoryview(self.path.read_bytes())
        own_writer = self.path.stem.rpartition("-")[2]
        positions = {own_writer: WriterPosition(own_writer)}
        groups: list[TailGroup] = []
        start = 0
        while start + _RECORD.size <= len(data):
            head_size, bodies_size, checksum = _RECORD.unpack_from(data, start)
            start += _RECORD.size
            head_end = start + head_size
            end = head_end + bodies_size
            if end > len(data) or zlib.crc32(data[start:end]) != checksum:
                break
            entry = {b"head": bytes(data[start:head_end]), b"bodies": bytes(data[head_end:end])}
            if start == _RECORD.size:
                positions[own_writer] = WriterPosition(**json.loads(entry[b"head"]))
            else:
                groups.append(_make_group(positions, entry, self))
            start = end
        return list(positions.values()), groups

    def close(self) -> None:
        """Release the file."""
        os.close(self.fd)

    def delete_batches(self) -> None:
        """Shorten the file to the position that it begins with; a second time it changes nothing."""
        begin = os.pread(self.fd, _RECORD.size, 0)
        if len(begin) == _RECORD.size:
            head_size, bodies_size, _ = _RECORD.unpack(begin)
            size = _RECORD.size + head_size + bodies_size
            if os.fstat(self.fd).st_size > size:
                os.truncate(self.path, size)

    def delete(self) -> None:
        """Delete the file after its batches were sent to the stream."""
        self.path.unlink(missing_ok=True)
        os.close(self.fd)


def _make_group(positions: dict[str, WriterPosition], entry: Entry, orphan: OrphanedTailFile) -> TailGroup:
    """Return the entry as a group of that file, and advance `positions` to its batch."""
    size = len(entry[b"head"]) + len(entry[b"bodies"]) + OVERHEAD_BYTES
    try:
        batch = contract.from_fields(entry)
    except contract.UnreadableEntryError:
        return TailGroup([entry], 0, size, orphan=orphan)  # written by a newer version
    if batch.number > positions.get(batch.writer, WriterPosition(batch.writer)).number:
        positions[batch.writer] = WriterPosition(batch.writer, batch.number, batch.acknowledged_events)
    return TailGroup([entry], len(batch.bodies), size, orphan=orphan)
