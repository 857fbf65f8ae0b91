"""Stores the quarantined webhooks in an SQLite file that the processes of a spool folder share."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from environment import private_file

FILE_NAME = "quarantine.db"
_BUSY_SECONDS = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS webhooks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, received_at INTEGER NOT NULL, signature BLOB NOT NULL, body BLOB NOT NULL,
    sender TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class UnverifiedWebhook:
    received_at: int
    """In milliseconds since 1970."""
    signature: bytes
    """The headers that may authenticate it, one `name:value` per line, or only the value for SAK."""
    body: bytes
    sender: str = ""
    """`kind:name`, or '' for SAK at /whatsapp-webhook."""
    id: int = 0
    """Its position in the order of receipt, assigned by the file."""


@dataclass(frozen=True, slots=True)
class QuarantineFile:
    """The file with the webhooks. Each method opens it, blocks, and may raise sqlite3.Error or OSError."""

    path: Path

    def add(self, webhooks: Sequence[UnverifiedWebhook], max_bytes: int) -> int:
        """Add the webhooks until the bodies reach `max_bytes`. Return the number of webhooks without room."""
        with closing(self._connect()) as file, file:
            size = self._size(file)[1]
            for index, one in enumerate(webhooks):
                size += len(one.body)
                if size > max_bytes:
                    return len(webhooks) - index
                file.execute(
                    "INSERT INTO webhooks (received_at, signature, body, sender) VALUES (?, ?, ?, ?)",
                    (one.received_at, one.signature, one.body, one.sender),
                )
        return 0

    def read(self, after: int, limit: int) -> list[UnverifiedWebhook]:
        """Return the next webhooks in order of receipt."""
        if not self.path.exists():
            return []
        with closing(self._connect()) as file:
            rows = file.execute(
                "SELECT received_at, signature, body, sender, id FROM webhooks WHERE id > ? ORDER BY id LIMIT ?",
                (after, limit),
            ).fetchall()
        return [UnverifiedWebhook(*row) for row in rows]

    def remove(self, ids: Sequence[int]) -> None:
        with closing(self._connect()) as file, file:
            file.executemany("DELETE FROM webhooks WHERE id = ?", [(one,) for one in ids])

    def remove_older(self, received_before: int) -> None:
        if self.path.exists():
            with closing(self._connect()) as file, file:
                file.execute("DELETE FROM webhooks WHERE received_at < ?", (received_before,))

    def size(self) -> tuple[int, int]:
        """Return the number of webhooks and the size of their bodies."""
        if not self.path.exists():
            return 0, 0
        with closing(self._connect()) as file:
            return self._size(file)

    @staticmethod
    def _size(file: sqlite3.Connection) -> tuple[int, int]:
        events, size = file.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM webhooks").fetchone()
        return int(events), int(size)

    def _connect(self) -> sqlite3.Connection:
        # A private file is not opened here, because closing it again would end the locks of SQLite in other threads.
        if not self.path.exists() or self.path.lstat().st_mode & 0o077:
            os.close(private_file.open_descriptor(self.path, os.O_RDWR | os.O_CREAT))
        file = sqlite3.connect(self.path, timeout=_BUSY_SECONDS)
        try:
            file.execute("PRAGMA secure_delete = ON")
            file.execute(_SCHEMA)
        except BaseException:
            file.close()
            raise
        return file
