"""Replaces a file that only its owner may read."""

import os
import tempfile
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Write the text; a concurrent reader sees either the old or the new content. Raises OSError."""
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
