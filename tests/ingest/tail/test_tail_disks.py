"""Tests the files of the tail on a disk that hangs."""

import time
from pathlib import Path

from dev.chaos.faults.disk_shim import Faults
from dev.embedded.valkey import EmbeddedValkey
from ingest.tail.tail_files import PROVEN_SECONDS
from tests.support.processes.ingest_process import IngestProcess, stream_bodies
from tests.support.servers.disk_faults import build_shim
from tests.support.servers.lost_data import lose_everything
from tests.support.waiting import wait_until


def test_a_write_that_hangs_after_a_pause_delays_no_webhook(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """If a network disk disappears at night, the first webhook of the morning must be answered like all others."""
    bodies = [b"evening", b"night", b"dawn", b"morning"]
    (tmp_path / "spool").mkdir()
    shim = build_shim(tmp_path, tmp_path / "spool")
    with IngestProcess(own_valkey.url, tmp_path, **shim.environment) as ingest:
        ingest.post_webhook(bodies[0])
        time.sleep(2 * PROVEN_SECONDS)
        shim.set(Faults(write_seconds=3600.0))
        paths = [ingest.post_webhook(body).json["path"] for body in bodies[1:]]
        wait_until(lambda: ingest.read_metric("sak_tail_in_files") == 0)
        shim.set()
        wait_until(lambda: ingest.read_metric("sak_tail_in_files") == 1)
        ingest.kill()
        lose_everything(own_valkey)
        ingest.start()
        wait_until(lambda: len(stream_bodies(own_valkey.url)) == len(bodies))

    assert paths == ["stream"] * 3
    assert stream_bodies(own_valkey.url) == bodies
