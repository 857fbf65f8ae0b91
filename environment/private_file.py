"""Opens and replaces files that only their owner can read."""

import contextlib
import os
import tempfile
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Replace the file's content with the text. Concurrent readers see either the old or the new content.

    Raises OSError.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # created 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def open_descriptor(path: Path, flags: int) -> int:
    """Return a descriptor of the file without following symbolic links. Raises OSError."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with contextlib.suppress(PermissionError):  # the file belongs to another user, who may have shared it on purpose
        os.fchmod(descriptor, 0o600)
    return descriptor
