"""Appends the SHA-256 to a backup file, because pg_restore does not notice all damage.

pg_restore finds its data by offsets and ignores what follows, so it can restore the file without this program.
"""

import hashlib
from pathlib import Path

_PREFIX = b"\nsha256 of the bytes before: "
_LENGTH = len(_PREFIX) + 64


def append(path: Path) -> None:
    """Append the checksum to a complete file."""
    with path.open("r+b") as file:
        digest = hashlib.file_digest(file, "sha256")
        file.write(_PREFIX + digest.hexdigest().encode())


def is_wrong(path: Path) -> bool:
    """Return whether the checksum in the file does not match.

    A file without one, such as that of pg_dump, is accepted.
    """
    with path.open("rb") as file:
        size = max(file.seek(0, 2) - _LENGTH, 0)
        file.seek(size)
        stored = file.read()
        if not stored.startswith(_PREFIX):
            return False
        file.seek(0)
        digest = hashlib.sha256()
        while size > 0:
            block = file.read(min(size, 1 << 20))
            digest.update(block)
            size -= len(block)
    return stored != _PREFIX + digest.hexdigest().encode()
