"""Searches and erases webhooks in the quarantine of the ingest on this host, which may write the file meanwhile.

ingest/quarantine/quarantine_file.py creates the file. This module is the only part of the store that knows its place
and columns. All functions may raise sqlite3.Error and OSError.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from store.erasure import mentions
from store.erasure.subjects import ErasureSubject

FLUSH_SECONDS = 2.0
"""The time in seconds after which ingest has written a webhook to the file. It keeps one in memory for at most one
second.
"""
_FILE_NAME = "quarantine.db"
_BUSY_SECONDS = 30.0
_PAGE_SIZE = 16
"""The number of bodies in memory at a time. A body may have 1 MiB."""


def spool_dir(environ: Mapping[str, str]) -> Path:
    """Return SPOOL_DIR, or its default in DATA_DIR."""
    return Path(environ.get("SPOOL_DIR") or Path(environ.get("DATA_DIR") or "var") / "spool")


def path(environ: Mapping[str, str]) -> Path:
    return spool_dir(environ) / _FILE_NAME


def size(file_path: Path) -> tuple[int, int] | None:
    """Return the number of webhooks and the bytes of their bodies, or None if there is no file."""
    if not _has_content(file_path):
        return None
    with closing(_open(file_path, "ro")) as file:
        events, size_bytes = file.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM webhooks").fetchone()
    return int(events), int(size_bytes)


def count(file_path: Path, subject: ErasureSubject) -> int:
    """Return the number of webhooks whose bodies mention the subject."""
    if not _has_content(file_path):
        return 0
    with closing(_open(file_path, "ro")) as file:
        return len(_find(file, subject))


def erase(file_path: Path, subject: ErasureSubject) -> int:
    """Delete the webhooks whose bodies mention the subject, overwriting their bytes. Return their number."""
    if not _has_content(file_path):
        return 0
    with closing(_open(file_path, "rw")) as file:
        ids = _find(file, subject)
        with file:
            file.executemany("DELETE FROM webhooks WHERE id = ?", [(one,) for one in ids])
        # secure_delete alone leaves copies of rows that SQLite moved within a page, and of rows deleted earlier.
        file.execute("VACUUM")
    return len(ids)


def _find(file: sqlite3.Connection, subject: ErasureSubject) -> list[int]:
    pattern = subject.mention_pattern()
    # In `NAME:session`, the sender's name before the colon does not occur in its bodies.
    words = [each.rpartition(":")[2].encode() for each in subject.session_ids or ("",)]
    found: list[int] = []
    after = 0
    while page := file.execute(
        "SELECT id, body FROM webhooks WHERE id > ? ORDER BY id LIMIT ?", (after, _PAGE_SIZE)
    ).fetchall():
        found += [
            number for number, body in page if any(word in body for word in words) and mentions.occurs(pattern, body)
        ]
        after = page[-1][0]
    return found


def _has_content(file_path: Path) -> bool:
    """Return whether ingest has created the file and its table."""
    return file_path.exists() and file_path.stat().st_size > 0


def _open(file_path: Path, mode: str) -> sqlite3.Connection:
    file = sqlite3.connect(f"{file_path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_SECONDS)
    file.execute("PRAGMA secure_delete = ON")
    return file
