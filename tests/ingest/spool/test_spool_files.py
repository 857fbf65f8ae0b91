"""Tests that the files of the spool are private, and that their removal is noticed."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.embedded.valkey import EmbeddedValkey
from tests.support.processes.ingest_process import IngestProcess, stream_bodies
from tests.support.stream.spooled import post, waiting
from tests.support.waiting import wait_until


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def rename(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def replace_by_a_copy(folder: Path) -> None:
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    shutil.rmtree(folder)
    copy.rename(folder)


def remove_journals(folder: Path) -> None:
    for path in folder.glob("*-wal"):
        path.unlink()


@pytest.mark.parametrize("damage", [empty, shutil.rmtree, rename, replace_by_a_copy, remove_journals])
def test_files_removed_while_in_use_are_written_again(
    own_valkey: EmbeddedValkey, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """1,202 events were once acknowledged into a deleted file, and were lost with the process."""
    folder = tmp_path / "spool"
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        own_valkey.kill()
        spooled = post(ingest, [b"before %d" % number for number in range(20)])
        damage(folder)
        spooled += post(ingest, [b"after %d" % number for number in range(20)])
        wait_until(lambda: "are in a new one" in ingest.log)
        ingest.kill()
        ingest.start()
        own_valkey.start()
        wait_until(lambda: waiting(ingest) == 0)
        ingest.stop()

    assert len(spooled) == 40
    assert sorted(stream_bodies(own_valkey.url)) == sorted(spooled)


def test_removed_files_are_noticed_without_traffic(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """The next webhook may arrive hours later, after the end of the process."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        own_valkey.kill()
        spooled = post(ingest, [b"%d" % number for number in range(20)])
        empty(tmp_path / "spool")
        wait_until(lambda: "are in a new one" in ingest.log)
        ingest.kill()
        ingest.start()
        found = waiting(ingest)
        own_valkey.start()
        wait_until(lambda: waiting(ingest) == 0)

    assert found == 20
    assert sorted(stream_bodies(own_valkey.url)) == sorted(spooled)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o377])
def test_only_the_owner_reads_what_is_spooled(own_valkey: EmbeddedValkey, tmp_path: Path, umask: int) -> None:
    """The bodies are private messages, and must not depend on the umask of a service manager."""
    before = os.umask(umask)
    try:
        with IngestProcess(own_valkey.url, tmp_path) as ingest:
            os.umask(before)
            own_valkey.kill()
            answers = post(ingest, [b"x"])
            folder = tmp_path / "spool"
            modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
            folder_mode = stat.S_IMODE(folder.stat().st_mode)
    finally:
        os.umask(before)

    assert answers == [b"x"]
    assert modes == {".spool": 0o600, ".spool-wal": 0o600, ".lock": 0o600, ".tail": 0o600}
    assert folder_mode == 0o700


def test_files_of_an_earlier_release_become_private(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """Their modes were determined by the umask."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        own_valkey.kill()
        post(ingest, [b"x"])
        ingest.kill()
        spooled = [path for path in (tmp_path / "spool").iterdir() if path.suffix != ".tail"]
        for path in spooled:
            path.chmod(0o666)
        ingest.start()
        assert waiting(ingest) == 1
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool").iterdir()}

    assert modes == {0o600}
