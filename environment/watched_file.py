"""Detects that a file has changed."""

from pathlib import Path


class WatchedFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.exists = False
        """True if the file existed at the last call of `has_changed`."""
        self._stamp: tuple[int, int, int] | None = None

    def has_changed(self) -> bool:
        """Return whether the file was replaced, changed or removed since the last call.

        Before the first call, it counts as missing.
        """
        before = self._stamp
        try:
            status = self.path.stat()
        except OSError:
            self._stamp = None
        else:
            self._stamp = status.st_ino, status.st_mtime_ns, status.st_size
        self.exists = self._stamp is not None
        return self._stamp != before
