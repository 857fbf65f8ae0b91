"""What is spooled can be read by its owner only."""

import os
import stat
from pathlib import Path

import pytest

from dev.embedded.valkey import EmbeddedValkey
from tests.support.ingest_process import IngestProcess


def waiting(ingest: IngestProcess) -> int:
    return int(ingest.read_metric("sak_spool_events"))


def post(ingest: IngestProcess, bodies: list[bytes]) -> list[bytes]:
    """The bodies that the spool took; the others must have been refused."""
    taken: list[bytes] = []
    for body in bodies:
        answer = ingest.post_webhook(body)
        assert answer.status in {200, 503}
        if answer.status == 200:
            assert answer.json["path"] == "spool"
            taken.append(body)
    return taken


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o377])
def test_only_the_owner_reads_what_is_spooled(own_valkey: EmbeddedValkey, tmp_path: Path, umask: int) -> None:
    """The bodies are private messages, and a service manager's umask is nobody's decision."""
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
    """They were written with the modes of their umask."""
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
