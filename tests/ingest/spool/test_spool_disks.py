"""Tests the spool on a slow, failing, full or emptied disk: its acknowledged events arrive."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest
import redis

from dev.chaos.faults.disk_shim import Faults
from dev.embedded.valkey import EmbeddedValkey
from ingest.queue import contract
from store.doctor import disks
from tests.support.attacks.webhook_load import WebhookLoad
from tests.support.processes.ingest_process import WEBHOOK_PATH, IngestProcess, sign, stream_batches, stream_bodies
from tests.support.servers.disk_faults import build_shim, small_disk
from tests.support.stream.spooled import post, waiting
from tests.support.waiting import wait_until

SAK_SECONDS = 8.0
"""The time after which SAK gives up a webhook."""


def fill(folder: Path) -> None:
    """Write until the disk is full."""
    descriptor = os.open(folder / "filler", os.O_WRONLY | os.O_CREAT)
    for size in (1 << 16, 1):
        with contextlib.suppress(OSError):
            while True:
                os.write(descriptor, bytes(size))
    os.close(descriptor)
    assert shutil.disk_usage(folder).free == 0


@pytest.mark.parametrize(
    ("faults", "seconds"),
    [
        pytest.param(Faults(sync_seconds=0.8), 6.0, id="slow", marks=pytest.mark.long),
        pytest.param(Faults(sync_error_rate=0.2), 1.5, id="failing"),
    ],
)
def test_an_outage_of_redis_on_a_bad_disk_costs_no_acknowledged_event(
    own_valkey: EmbeddedValkey, tmp_path: Path, faults: Faults, seconds: float
) -> None:
    """A removal that timed out used to be counted twice, and its batches stayed in the file for ever."""
    (tmp_path / "spool").mkdir()
    shim = build_shim(tmp_path, tmp_path / "spool")
    with IngestProcess(own_valkey.url, tmp_path, **shim.environment) as ingest:
        shim.set(faults)
        with WebhookLoad(ingest) as load:
            time.sleep(0.3)
            own_valkey.kill()
            time.sleep(seconds)
            own_valkey.start()
            time.sleep(0.5)
        wait_until(lambda: waiting(ingest) == 0)
        shim.set()
        ingest.stop()
        with redis.Redis.from_url(own_valkey.url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
            entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(contract.STREAM))
        spooled = [json.loads(fields[b"head"])["spooled"] for _, fields in entries]

    assert load.acknowledged
    assert sorted(stream_bodies(own_valkey.url)) == sorted(load.acknowledged)
    assert 0 == min(spooled) < max(spooled) <= len(load.acknowledged)
    assert list((tmp_path / "spool").glob("*.spool")) == []


def test_a_second_outage_that_begins_on_a_slow_disk_is_spooled(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """The next file used to be created on demand, with eight syncs that exceeded the patience of senders."""
    (tmp_path / "spool").mkdir()
    shim = build_shim(tmp_path, tmp_path / "spool")
    with IngestProcess(own_valkey.url, tmp_path, **shim.environment) as ingest:
        own_valkey.kill()
        ingest.post_webhook(b"of the first outage")
        first = set((tmp_path / "spool").glob("*.spool-wal"))
        own_valkey.start()
        wait_until(lambda: waiting(ingest) == 0)
        wait_until(lambda: bool(set((tmp_path / "spool").glob("*.spool-wal")) - first))
        shim.set(Faults(sync_seconds=0.45))
        own_valkey.kill()
        answer = ingest.post_webhook(b"of the second")
        shim.set()

    assert (answer.status, answer.json["path"]) == (200, "spool")


def test_a_disk_that_hangs_is_given_up_and_used_again(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """A network disk may return after a minute. Until then senders receive a response, and after that 200."""
    (tmp_path / "spool").mkdir()
    shim = build_shim(tmp_path, tmp_path / "spool")
    with IngestProcess(own_valkey.url, tmp_path, **shim.environment) as ingest:
        own_valkey.kill()
        shim.set(Faults(sync_seconds=3600.0))
        refused = [ingest.post_webhook(b"refused %d" % number).status for number in range(2)]
        unready = ingest.get("/readyz")
        shim.set()
        answer = ingest.post_webhook(b"taken")
        own_valkey.start()
        wait_until(lambda: waiting(ingest) == 0)
        wait_until(lambda: ingest.get("/readyz").status == 200)

    assert refused == [503, 503]
    assert unready.status == 503
    assert any("does not respond" in note for note in unready.json["notes"])
    assert answer.json["path"] == "spool"
    assert b"taken" in stream_bodies(own_valkey.url)


@pytest.mark.long
def test_every_sender_is_answered_in_time_while_redis_and_the_disk_hang(
    own_valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    """Each of the two takes seconds to fail, and whoever came meanwhile must not wait for them once more."""
    (tmp_path / "spool").mkdir()
    shim = build_shim(tmp_path, tmp_path / "spool")
    with IngestProcess(own_valkey.url, tmp_path, **shim.environment) as ingest, ThreadPoolExecutor(6) as senders:
        ingest.post_webhook(b"before")
        os.kill(own_valkey.pid, signal.SIGSTOP)
        shim.set(Faults(sync_seconds=3600.0))

        def send(number: int) -> int:
            time.sleep(number / 2)
            body = b"%d" % number
            headers = {"X-Webhook-Signature": sign(body)}
            return ingest.request("POST", WEBHOOK_PATH, body, headers, timeout_seconds=SAK_SECONDS).status

        statuses = list(senders.map(send, range(6)))

    assert statuses == [503] * 6


def test_a_full_disk_is_drained_and_said(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """Deleting rows needs space, so nothing used to be drained after Redis was back, or after a restart."""
    with (
        small_disk(tmp_path / "disk", 24 << 20) as disk,
        IngestProcess(own_valkey.url, tmp_path, SPOOL_DIR=str(disk / "spool")) as ingest,
    ):
        own_valkey.kill()
        before = post(ingest, [b"before %d" % number for number in range(20)])
        fill(disk)
        reserve = post(ingest, [b"large %d " % number + b"x" * 100_000 for number in range(200)])
        full = ingest.get("/readyz")
        fill(disk)
        examined = {found.name: found.severity for found in disks.free_space({"SPOOL_DIR": str(disk / "spool")})}
        own_valkey.start()
        wait_until(lambda: waiting(ingest) == 0)
        drained = sorted(stream_bodies(own_valkey.url))
        noted = ingest.get("/readyz")
        own_valkey.kill()
        (disk / "filler").unlink()
        wait_until(lambda: ingest.get("/readyz").json["spool"]["usable"])
        after = post(ingest, [b"after"])

    assert len(before) == 20
    assert 20 < len(reserve) < 200
    assert drained == sorted(before + reserve)
    assert (full.status, full.json["spool"]["usable"]) == (503, False)
    assert (noted.status, noted.json["spool"]["usable"]) == (200, False)
    assert any("SPOOL_DIR cannot be used" in note and "full" in note for note in noted.json["notes"])
    assert examined["disk.spool"] == "broken"
    assert after == [b"after"]


def test_a_process_that_starts_on_a_full_disk_drains_it(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """The previous process died because of the full disk, and the events are acknowledged."""
    with (
        small_disk(tmp_path / "disk", 24 << 20) as disk,
        IngestProcess(own_valkey.url, tmp_path, SPOOL_DIR=str(disk / "spool")) as ingest,
    ):
        own_valkey.kill()
        spooled = post(ingest, [b"%d" % number for number in range(20)])
        ingest.kill()
        fill(disk)
        ingest.start()
        found = waiting(ingest)
        own_valkey.start()
        wait_until(lambda: waiting(ingest) == 0)

    assert found == 20
    assert sorted(stream_bodies(own_valkey.url)) == sorted(spooled)


@contextlib.contextmanager
def locked(folder: Path) -> Generator[None]:
    """Return a folder in which files cannot be removed, as on a disk that the kernel remounted read-only."""
    tool = shutil.which("chattr")
    if os.geteuid() or tool is None or subprocess.run([tool, "+i", folder], check=False).returncode:
        pytest.skip("a folder that even root cannot change needs chattr and a file system that obeys it")
    try:
        yield
    finally:
        subprocess.run([tool, "-i", folder], check=True)


def test_files_that_cannot_be_removed_are_drained_once_and_removed_later(
    own_valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    """The batches on a read-only disk are sent once, and not repeatedly."""
    folder = tmp_path / "spool"
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        own_valkey.kill()
        spooled = post(ingest, [b"%d" % number for number in range(20)])
        with locked(folder):
            own_valkey.start()
            wait_until(lambda: waiting(ingest) == 0)
            wait_until(lambda: not ingest.get("/readyz").json["spool"]["usable"])
            noted = ingest.get("/readyz")
            sent = sum(len(batch.bodies) for batch in stream_batches(own_valkey.url))
        wait_until(lambda: ingest.get("/readyz").json["spool"]["usable"])
        ingest.stop()

    assert sent == len(spooled) == 20
    assert noted.status == 200
    assert any("SPOOL_DIR cannot be used" in note for note in noted.json["notes"])
    assert [path for path in folder.iterdir() if path.suffix != ".tail"] == []


def test_a_file_that_cannot_be_opened_is_noted_and_stops_nothing(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """Examples are a folder of that name, a dangling link and the file of another user. The spool ignores them."""
    (tmp_path / "spool" / "000000000001-odd.spool").mkdir(parents=True)
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        own_valkey.kill()
        taken = post(ingest, [b"x"])
        notes = ingest.get("/readyz").json["notes"]
        own_valkey.start()
        wait_until(lambda: waiting(ingest) == 0)

    assert taken == [b"x"]
    assert any("000000000001-odd.spool" in note for note in notes)
    assert stream_bodies(own_valkey.url) == [b"x"]
