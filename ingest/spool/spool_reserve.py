"""Reserves room on the spool's disk for batches that are written when it is full."""

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

RESERVE_BYTES = 8 << 20
"""The size of the reserve in bytes, more than the largest batch needs."""
_WRITE_BYTES = 1 << 20


class SpoolReserve:
    """A file without a name, so that the room is freed when the process ends."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    @property
    def is_held(self) -> bool:
        return self._file is not None

    def acquire(self, directory: Path) -> None:
        """Reserve the room if it is not reserved. Raises OSError if the disk does not have it."""
        if self._file is not None:
            if os.fstat(self._file.fileno()).st_dev == directory.stat().st_dev:
                return
            self.release()  # another disk was mounted
        if shutil.disk_usage(directory).free < RESERVE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with contextlib.ExitStack() as cleanup:
            file = cleanup.enter_context(tempfile.TemporaryFile(dir=directory, buffering=0))
            for _ in range(RESERVE_BYTES // _WRITE_BYTES):
                file.write(bytes(_WRITE_BYTES))
            cleanup.pop_all()
        self._file = file

    def release(self) -> None:
        """Free the reserved room."""
        if self._file is not None:
            self._file.close()
            self._file = None
