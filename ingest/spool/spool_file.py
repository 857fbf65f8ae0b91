"""Stores batches in a spool file: an SQLite database that one process holds by a lock, which ends with the process.

Batches are only added. Those that the stream has confirmed are skipped, and the file is removed when all are confirmed.
Neither needs room on a full disk.
"""

import contextlib
import fcntl
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from environment import private_file
from ingest.queue.contract import EntryFields

SUFFIX = ".spool"
_OPEN_FLAGS = os.O_RDWR | os.O_CREAT
READ_MAX_BYTES = 4 << 20
"""The size limit of one read."""
BATCH_OVERHEAD_BYTES = 256
"""The approximate size of a batch in addition to its content, in bytes."""

# There is no unique index on the identity, because a batch is spooled only once, and the worker skips copies.
SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    position INTEGER PRIMARY KEY AUTOINCREMENT, events INTEGER NOT NULL, head BLOB NOT NULL, bodies BLOB NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class SpooledBatch:
    """A batch in a file."""

    position: int
    events: int
    fields: EntryFields

    @property
    def size_bytes(self) -> int:
        return accounted_bytes(self.fields)


def accounted_bytes(fields: EntryFields) -> int:
    """Return the size of the batch in bytes, as counted against the spool's limit."""
    return sum(map(len, fields.values())) + BATCH_OVERHEAD_BYTES


class SpoolFile:
    """A file held by this process. Every method may raise sqlite3.Error or OSError."""

    events: int
    """The number of events in batches that are not confirmed."""
    size_bytes: int
    """The size of these events, as counted against the spool's limit."""
    written_bytes: int
    """The size including the confirmed batches."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        """Open a file that `try_open` has locked."""
        self.path = path
        self._journal_path = path.with_name(path.name + "-wal")
        self._lock_fd = lock_fd
        self._confirmed_position = self._last_position = 0
        # SQLite gives the journal the mode of the file.
        os.close(private_file.open_descriptor(path, _OPEN_FLAGS))
        if self._journal_path.exists():
            os.close(private_file.open_descriptor(self._journal_path, _OPEN_FLAGS))
        is_new = path.stat().st_size == 0
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            # The lock keeps other processes out, so SQLite needs no shared memory, which some disks do not support.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(SCHEMA)
            self._connection.execute("PRAGMA synchronous = FULL")
            if is_new:
                self._sync_new_file()
            self._count()
            self._inodes = self._find_inodes()
        except BaseException:
            self._connection.close()
            raise

    @classmethod
    def try_open(cls, path: Path) -> Self | None:
        """Return the file, created if it does not exist, or None if another process holds it."""
        lock_path = path.with_suffix(".lock")
        is_new = not path.exists()
        lock = private_file.open_descriptor(lock_path, _OPEN_FLAGS)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock_path.exists() and os.fstat(lock).st_ino == lock_path.stat().st_ino:
                return cls(path, lock)
        except BlockingIOError:
            pass
        except BaseException:
            if is_new:  # on a full disk, each attempt would leave another file
                for part in (path, path.with_name(path.name + "-wal"), lock_path):
                    part.unlink(missing_ok=True)
            os.close(lock)
            raise
        # Another process holds the lock, or removed the file between `open` and `flock`.
        os.close(lock)
        return None

    @property
    def has_unconfirmed(self) -> bool:
        """True if a batch is not confirmed."""
        return self._last_position > self._confirmed_position

    @property
    def is_in_place(self) -> bool:
        """True if the folder contains the file and its journal.

        Data written to removed files is lost with the process.
        """
        return self._inodes[0] is not None and self._find_inodes() == self._inodes

    def append(self, fields: EntryFields, events: int) -> None:
        """Write the batch and wait until it is on the disk."""
        inserted = self._connection.execute(
            "INSERT INTO batches (events, head, bodies) VALUES (?, ?, ?)", (events, fields[b"head"], fields[b"bodies"])
        )
        self._last_position = inserted.lastrowid or 0
        self.events += events
        self.size_bytes += accounted_bytes(fields)
        self.written_bytes += accounted_bytes(fields)

    def read_oldest(self, max_bytes: int, max_batches: int) -> list[SpooledBatch]:
        """Return the oldest batches that are not confirmed, up to both limits, but at least one if there is any."""
        batches: list[SpooledBatch] = []
        size = 0
        rows = self._connection.execute(
            "SELECT position, events, head, bodies FROM batches WHERE position > ? ORDER BY position LIMIT ?",
            (self._confirmed_position, max_batches),
        )
        for position, events, head, bodies in rows:
            batch = SpooledBatch(position, events, {b"head": head, b"bodies": bodies})
            size += batch.size_bytes
            if batches and size > min(max_bytes, READ_MAX_BYTES):
                break
            batches.append(batch)
        rows.close()
        return batches

    def confirm(self, batches: list[SpooledBatch]) -> None:
        """Skip batches that `read_oldest` returned. Repeating this changes nothing."""
        for batch in batches:
            if batch.position > self._confirmed_position:
                self._confirmed_position = batch.position
                self.events -= batch.events
                self.size_bytes -= batch.size_bytes

    def copy_batches(self, other: Self) -> None:
        """Add the other file's unconfirmed batches to this empty file, all or none."""
        rows = other._connection.execute(
            "SELECT events, head, bodies FROM batches WHERE position > ? ORDER BY position",
            (other._confirmed_position,),
        )
        self._connection.execute("BEGIN")
        try:
            self._connection.executemany("INSERT INTO batches (events, head, bodies) VALUES (?, ?, ?)", rows)
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        self._count()

    def close(self) -> None:
        """Release the file, so that another process may hold it."""
        self._connection.close()
        os.close(self._lock_fd)

    def delete(self) -> None:
        """Delete the file, which is no longer needed. After an OSError, this may be tried again."""
        held = os.fstat(self._lock_fd)
        own = (
            (self.path, self._inodes[0]),
            (self._journal_path, self._inodes[1]),
            (self.path.with_suffix(".lock"), (held.st_dev, held.st_ino)),
        )
        for path, inode in own:
            if _inode(path) == inode:  # another file may have replaced a removed one
                path.unlink(missing_ok=True)
        self._connection.close()  # SQLite leaves a file alone if it is not in its place
        os.close(self._lock_fd)

    def _sync_new_file(self) -> None:
        """Sync the file, its journal and the folder now, so that each batch takes one sync on a disk that is slow."""
        self._connection.execute("PRAGMA user_version = 1")  # the first commit that is synced
        file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(file)  # SQLite ignores the journal of a file without a header
        finally:
            os.close(file)

    def _count(self) -> None:
        self.events, self.size_bytes, self._last_position = self._connection.execute(
            "SELECT coalesce(sum(events), 0), coalesce(sum(length(head) + length(bodies) + ?), 0),"
            " coalesce(max(position), 0) FROM batches",
            (BATCH_OVERHEAD_BYTES,),
        ).fetchone()
        self.written_bytes = self.size_bytes

    def _find_inodes(self) -> tuple[tuple[int, int] | None, ...]:
        return _inode(self.path), _inode(self._journal_path)


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
