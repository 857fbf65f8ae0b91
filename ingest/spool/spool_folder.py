"""Opens, adopts, writes, reads and removes the spool files of one process in SPOOL_DIR.

Every method may raise sqlite3.Error or OSError, and runs in the spool's thread.
"""

import contextlib
import errno
import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ingest.queue.contract import EntryFields
from ingest.spool.spool_file import SUFFIX, SpooledBatch, SpoolFile
from ingest.spool.spool_reserve import SpoolReserve

APPEND_ATTEMPTS = 3
"""The number of attempts to write a batch, because senders do not repeat a refused webhook."""
FILE_BYTES = 32 << 20
"""A file that has reached this size gets no more batches, so that its room is freed once they are confirmed."""

log = logging.getLogger("ingest")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SpoolChunk:
    """The oldest batches of one file."""

    file: SpoolFile
    batches: list[SpooledBatch]


class SpoolFolder:
    """The file for new batches, and older files of this process and of dead ones."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.unopened: Mapping[str, str] = {}
        """Files of dead processes that cannot be opened, with the reason."""
        self.has_unsaved_file = False
        """True if `append` found that a file with batches was removed."""
        self._own_file: SpoolFile | None = None
        self._older_files: list[SpoolFile] = []
        self._finished_files: list[SpoolFile] = []
        """Files whose batches are all confirmed, but which could not be deleted yet."""
        self._reserve = SpoolReserve()

    @property
    def files(self) -> list[SpoolFile]:
        """The files that may have batches, oldest first."""
        return [*self._older_files, *([self._own_file] if self._own_file else [])]

    @property
    def has_reserve(self) -> bool:
        """True if room is reserved on the disk."""
        return self._reserve.is_held

    def append(self, fields: EntryFields, events: int) -> None:
        """Write the batch to a file that is in the folder, and return once it is on the disk."""
        for attempts_left in reversed(range(APPEND_ATTEMPTS)):
            try:
                file = self._open_own_file()
                self._set_aside_if_damaged(file, lambda file: file.append(fields, events))
            except (sqlite3.OperationalError, OSError) as error:
                if is_full(error):
                    self._reserve.release()
                if not attempts_left:
                    raise
                continue
            if file.is_in_place:
                if file.written_bytes >= FILE_BYTES:
                    self._retire_own_file()
                return
            self._retire_own_file()
            self.has_unsaved_file = True
        raise FileNotFoundError(errno.ENOENT, "files are removed as soon as they are created")

    def read_oldest(self, max_bytes: int, max_batches: int) -> SpoolChunk | None:
        """Return the oldest batches, up to about this size and number, or None if there are none."""
        for file in self.files:
            if file.has_unconfirmed:
                batches = self._set_aside_if_damaged(file, lambda file: file.read_oldest(max_bytes, max_batches))
                return SpoolChunk(file, batches)
        return None

    def remove(self, chunk: SpoolChunk) -> None:
        """Skip a confirmed chunk, and remove its file if it has no other. Repeating this changes nothing."""
        chunk.file.confirm(chunk.batches)
        self._finish_if_empty(chunk.file)
        with contextlib.suppress(sqlite3.Error, OSError):  # `append` tries again
            self._open_own_file()  # not only at the next outage, when the disk may be slow

    def maintain(self) -> None:
        """Save the batches in removed files, adopt files of dead processes, open the own file and reserve room.

        Raises the first error after trying everything.
        """
        errors: list[Exception] = []
        for step in (self.save_removed_files, self._adopt_orphans, self._open_own_file, self._free_and_reserve_room):
            try:
                step()
            except (sqlite3.Error, OSError) as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def save_removed_files(self) -> None:
        """Copy the batches of removed files into new files, because they would be lost when the process ends."""
        self.has_unsaved_file = False
        if self._own_file is not None and not self._own_file.is_in_place:
            self._retire_own_file()
        for index, file in enumerate(self._older_files):
            if file.is_in_place:
                continue
            copy = self._create_file()
            try:
                copy.copy_batches(file)
            except BaseException:
                copy.delete()
                raise
            log.error("the spool file %s was removed; its %d events are in a new one", file.path.name, copy.events)
            self._older_files[index] = copy
            file.close()

    def close(self) -> None:
        """Release all files. Their batches wait for the next process."""
        for file in self.files:
            if file.has_unconfirmed:
                file.close()
            else:
                self._finish_if_empty(file)
        self._older_files.clear()
        self._own_file = None
        self._reserve.release()

    def _open_own_file(self) -> SpoolFile:
        if self._own_file is None:
            self._own_file = self._create_file()
        return self._own_file

    def _create_file(self) -> SpoolFile:
        if not self.directory.exists():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.directory.chmod(0o700)  # whatever the umask
        # The name starts with the time, so that files are drained in order of creation.
        file = SpoolFile.try_open(self.directory / f"{int(time.time()):012d}-{secrets.token_hex(4)}{SUFFIX}")
        if file is None:
            raise FileExistsError(errno.EEXIST, "another process holds the new file")
        return file

    def _retire_own_file(self) -> None:
        if self._own_file is not None:
            self._older_files.append(self._own_file)
            self._own_file = None

    def _adopt_orphans(self) -> None:
        unopened: dict[str, str] = {}
        for path in sorted(self.directory.glob(f"*{SUFFIX}")):
            try:
                file = SpoolFile.try_open(path)
            except (sqlite3.OperationalError, OSError) as error:
                unopened[path.name] = describe(error)
                if path.name not in self.unopened:
                    log.error("the spool file %s cannot be opened: %s", path.name, describe(error))  # noqa: TRY400 - no traceback needed
            except sqlite3.DatabaseError:
                _set_aside(path)
            else:
                if file is not None:
                    self._older_files.append(file)
                    self._finish_if_empty(file)
        self.unopened = unopened

    def _free_and_reserve_room(self) -> None:
        for file in [*self._finished_files]:
            self._delete(file)
        if not os.access(self.directory, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        self._reserve.acquire(self.directory)

    def _finish_if_empty(self, file: SpoolFile) -> None:
        if file.has_unconfirmed or file not in self.files:
            return
        self._forget(file)
        self._finished_files.append(file)
        with contextlib.suppress(OSError):  # `maintain` tries again and reports it
            self._delete(file)

    def _delete(self, file: SpoolFile) -> None:
        file.delete()
        self._finished_files.remove(file)

    def _forget(self, file: SpoolFile) -> None:
        if file is self._own_file:
            self._own_file = None
        else:
            self._older_files.remove(file)

    def _set_aside_if_damaged(self, file: SpoolFile, work: Callable[[SpoolFile], T]) -> T:
        """Run `work`. A damaged file is set aside but never deleted, and the next batch gets a new file."""
        try:
            return work(file)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._forget(file)
            file.close()
            _set_aside(file.path)
            raise


def describe(error: Exception) -> str:
    """Return the error's name and message without a path."""
    text = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return f"{type(error).__name__}: {text}"


def is_full(error: Exception) -> bool:
    """Return whether the disk lacks room, so that nothing was written."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}


def _set_aside(path: Path) -> None:
    log.error("the spool file %s is damaged and was renamed to %s", path.name, path.name + ".damaged")
    for suffix in ("", "-wal"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(f"{path.name}.damaged{suffix}"))
