"""Provides temporary folders for the servers of tests."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from dev.embedded import data_folder


@contextmanager
def temporary_server_folder() -> Generator[Path]:
    """Yield a folder that PostgreSQL can enter even if the tests run as root, and remove it after the block."""
    folder = data_folder.create_temporary()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
