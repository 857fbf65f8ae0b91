"""Opens files that only their owner may read, whatever the umask, the folder and the mode that they had."""

import contextlib
import os
from pathlib import Path

MODE = 0o600


def open_descriptor(path: Path, flags: int) -> int:
    """A descriptor of the file; symbolic links are not followed. Raises OSError."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
    with contextlib.suppress(PermissionError):  # of another user, who may have shared it on purpose
        os.fchmod(descriptor, MODE)
    return descriptor
