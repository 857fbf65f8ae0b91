"""One spool file: an SQLite database that one process at a time holds, by a lock that dies with the process."""

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
"""How much is read at once."""
BATCH_OVERHEAD_BYTES = 256
"""Bytes that a batch takes besides its content, more or less."""

# No unique index over the identity: a batch is spooled once, and a copy would be skipped by the worker anyway.
SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    events INTEGER NOT NULL,
    head BLOB NOT NULL,
    bodies BLOB NOT NULL
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
    """What the batch counts against the bound of the spool."""
    return sum(map(len, fields.values())) + BATCH_OVERHEAD_BYTES


class SpoolFile:
    """Held by this process; every method may raise sqlite3.Error or OSError."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        """Open what `hold` has locked."""
        self.path = path
        self._lock_fd = lock_fd
        self._connection = sqlite3.connect(path, isolation_level=None)
        try:
            # Nobody else opens the file while we hold the lock: no shared memory is needed, which some disks lack.
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
        """The file, made if it is not there; None if another process holds it."""
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
        """Write the batch and wait until the disk has it."""
        self._connection.execute(
            "INSERT INTO batches (events, head, bodies) VALUES (?, ?, ?)", (events, fields[b"head"], fields[b"bodies"])
        )
        self.events += events
        self.size_bytes += accounted_bytes(fields)

    def read_oldest(self, max_bytes: int) -> list[SpooledBatch]:
        """The batches that are next to go, of so many bytes at most, but one if there is any."""
        found: list[SpooledBatch] = []
        size = 0
        rows = self._connection.execute(
            "SELECT position, events, head, bodies FROM batches ORDER BY position LIMIT ?", (READ_MAX_ROWS,)
        )
        for position, events, head, bodies in rows:
            batch = SpooledBatch(position, events, {b"head": head, b"bodies": bodies})
            size += batch.size_bytes
            if found and size > min(max_bytes, READ_MAX_BYTES):
                break
            found.append(batch)
        rows.close()
        return found

    def remove(self, batches: list[SpooledBatch]) -> None:
        """Forget batches that `oldest` gave."""
        self._connection.execute("DELETE FROM batches WHERE position <= ?", (batches[-1].position,))
        self.events -= sum(batch.events for batch in batches)
        self.size_bytes -= sum(batch.size_bytes for batch in batches)
        if not self.size_bytes:
            # What an outage filled is given back to the disk.
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of the file; another process may hold it then."""
        self._connection.close()
        os.close(self._lock_fd)

    def delete(self) -> None:
        """Remove the file, which is empty."""
        self._connection.close()
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".lock").unlink(missing_ok=True)
        os.close(self._lock_fd)
