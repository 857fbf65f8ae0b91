"""Tests files that only their owner may read."""

import os
import stat
from pathlib import Path

import pytest

from dev.embedded.data_folder import FolderLock
from environment import private_file


@pytest.mark.parametrize("umask", [0o000, 0o377])
def test_a_file_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """The umask of a service is usually not chosen for this program."""
    before = os.umask(umask)
    try:
        os.close(private_file.open_descriptor(tmp_path / "new", os.O_WRONLY | os.O_CREAT))
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_a_file_becomes_private_and_a_link_is_not_followed(tmp_path: Path) -> None:
    """In a folder that others may write to, a link could refer to any of our files."""
    (tmp_path / "old").touch(0o666)
    (tmp_path / "link").symlink_to(tmp_path / "old")

    os.close(private_file.open_descriptor(tmp_path / "old", os.O_RDWR))

    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o600
    with pytest.raises(OSError, match="symbolic links"):
        private_file.open_descriptor(tmp_path / "link", os.O_RDWR | os.O_CREAT)


def test_another_user_cannot_open_the_lock_of_a_folder(tmp_path: Path) -> None:
    """A user who can open a file, even read-only, can lock it and prevent ./run from starting."""
    (tmp_path / "lock").touch(0o644)
    lock = FolderLock(tmp_path)

    lock.acquire()
    mode = stat.S_IMODE((tmp_path / "lock").stat().st_mode)
    lock.release()

    assert mode == 0o600
