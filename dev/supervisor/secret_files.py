"""Creates and reads the secrets of a system that `./run` starts."""

import os
import secrets
from pathlib import Path

from dev.errors import StartError
from environment import private_file


def read_or_create(path: Path) -> str:
    """Return the secret in the file. The first call creates it, readable only by its owner."""
    try:
        descriptor = private_file.open_descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        secret = path.read_text(encoding="utf-8").strip()
        if not secret:
            raise StartError(f"{path} is empty: write a secret into it, or remove it to get a new one.") from None
        return secret
    secret = secrets.token_hex(32)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secret + "\n")
    return secret


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner can read, such as an address with a password."""
    path.unlink(missing_ok=True)
    with os.fdopen(
        private_file.open_descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="utf-8"
    ) as file:
        file.write(content + "\n")
