"""One spool file: an SQLite database held by one process, through a lock that ends with the process."""

import fcntl
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SUFFIX = ".spool"
READ_MAX_ROWS = 128
READ_MAX_BYTES = 4 << 20
"""Bounds of one read."""
BATCH_OVERHEAD_BYTES = 256
"""Approximate bytes of a batch besides its content."""

# No unique index over the identity: a batch is spooled once, and the worker skips a copy anyway.
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
    fields: Mapping[bytes, bytes]

    @property
    def size_bytes(self) -> int:
        return accounted_bytes(self.fields)


def accounted_bytes(fields: Mapping[bytes, bytes]) -> int:
    """The batch's bytes, as counted against the spool's limit."""
    return sum(map(len, fields.values())) + BATCH_OVERHEAD_BYTES


class SpoolFile:
    """A file held by this process; every method may raise sqlite3.Error or OSError."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        """Open a file that `try_open` has locked."""
        self.path = path
        self._lock_fd = lock_fd
        self._connection = sqlite3.connect(path, isolation_level=None)
        try:
            # The lock keeps other processes out, so SQLite needs no shared memory, which some disks lack.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute(SCHEMA)
            self.events, self.size_bytes = self._connection.execute(
                "SELECT coalesce(sum(events), 0), coalesce(sum(length(head) + length(bodies) + ?), 0) FROM batches",
                (BATCH_OVERHEAD_BYTES,),
            ).fetchone()
        except BaseException:
            self._connection.close()
            raise

    @classmethod
    def try_open(cls, path: Path) -> Self | None:
        """The file, created if it is absent; None if another process holds it."""
        lock_path = path.with_suffix(".lock")
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock_path.exists() and os.fstat(lock).st_ino == lock_path.stat().st_ino:
                return cls(path, lock)
        except BlockingIOError:
            pass
        except BaseException:
            os.close(lock)
            raise
        # Another process holds it, or its holder removed it between our open and our flock.
        os.close(lock)
        return None

    def append(self, fields: Mapping[bytes, bytes], events: int) -> None:
        """Write the batch and wait until it is on the disk."""
        self._connection.execute(
            "INSERT INTO batches (events, head, bodies) VALUES (?, ?, ?)", (events, fields[b"head"], fields[b"bodies"])
        )
        self.events += events
        self.size_bytes += accounted_bytes(fields)

    def read_oldest(self, max_bytes: int) -> list[SpooledBatch]:
        """The oldest batches, up to `max_bytes` but at least one if there is any."""
        batches: list[SpooledBatch] = []
        size = 0
        rows = self._connection.execute(
            "SELECT position, events, head, bodies FROM batches ORDER BY position LIMIT ?", (READ_MAX_ROWS,)
        )
        for position, events, head, bodies in rows:
            batch = SpooledBatch(position, events, {b"head": head, b"bodies": bodies})
            size += batch.size_bytes
            if batches and size > min(max_bytes, READ_MAX_BYTES):
                break
            batches.append(batch)
        rows.close()
        return batches

    def remove(self, batches: list[SpooledBatch]) -> None:
        """Delete batches that `read_oldest` returned."""
        self._connection.execute("DELETE FROM batches WHERE position <= ?", (batches[-1].position,))
        self.events -= sum(batch.events for batch in batches)
        self.size_bytes -= sum(batch.size_bytes for batch in batches)
        if not self.size_bytes:
            # Returns the space of an outage to the disk.
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Release the file; another process may hold it then."""
        self._connection.close()
        os.close(self._lock_fd)

    def delete(self) -> None:
        """Delete the file, which is empty."""
        self._connection.close()
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".lock").unlink(missing_ok=True)
        os.close(self._lock_fd)
