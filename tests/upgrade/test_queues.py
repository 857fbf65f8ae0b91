"""What waits in a queue may be older than whoever reads it, and newer."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from dev.chaos.stream_writer import connect
from ingest.queue import contract
from tests.support.ingest_process import IngestProcess
from tests.support.pipeline import WorkerPipeline
from tests.upgrade.conftest import OldRelease

READ: Final = """
import json, sys
from ingest import queue
for entry in json.load(sys.stdin):
    batch = queue.from_fields({name.encode(): value.encode("latin-1") for name, value in entry.items()})
    print(batch.writer, batch.number, batch.upto, len(batch.bodies), batch.bodies[0].decode())
"""


def head(fields: dict[bytes, bytes]) -> dict[str, Any]:
    return json.loads(fields[b"head"])


def test_a_released_entry_is_read_and_stored(release: OldRelease, make_pipeline: Callable[..., WorkerPipeline]) -> None:
    """The stream is not empty when workers are replaced."""
    pipeline = make_pipeline()
    for entry in release.stream_entries:
        pipeline.feed.append_fields(entry)
    pipeline.create_worker().start()

    assert len(release.stream_entries) > 3
    assert pipeline.wait_until(
        lambda: pipeline.count_ledger_events() == len(release.stream_entries) and pipeline.count_entries() == 0
    ), pipeline.worker_output
    assert pipeline.fetch_rows("SELECT count(*) > 0 FROM whatsapp_messages") == [(True,)]
    assert pipeline.redis.xlen("sak:events:unreadable") == 0


def test_a_released_spool_is_adopted_and_stored(
    release: OldRelease, make_pipeline: Callable[..., WorkerPipeline], tmp_path: Path
) -> None:
    """An outage of Redis may be what somebody upgrades in the middle of."""
    pipeline = make_pipeline()
    spool = tmp_path / "spool"
    spool.mkdir()
    shutil.copy(release.spool_path, spool / "left-by-a-release.spool")
    with IngestProcess(pipeline.redis_url, tmp_path):
        pipeline.create_worker().start()

        assert pipeline.wait_until(lambda: pipeline.count_ledger_events() == len(release.stream_entries), 30), (
            pipeline.worker_output
        )
    assert pipeline.fetch_rows("SELECT count(*) > 0 FROM whatsapp_messages") == [(True,)]


def test_a_released_worker_reads_what_is_written_now(release: OldRelease, redis_url: str, tmp_path: Path) -> None:
    """Ingest is replaced first as often as not; or the version of the entry is raised, and old workers put it aside."""
    body = b'{"event":"message.received","text":"after the upgrade"}'
    with IngestProcess(redis_url, tmp_path) as ingest:
        assert ingest.post_webhook(body).status == 200
        entries = raw(redis_url)
    done = subprocess.run(
        [sys.executable, "-c", READ],
        input=json.dumps(entries),
        cwd=release.code_folder,
        env=os.environ | {"PYTHONPATH": str(release.code_folder)},
        capture_output=True,
        text=True,
        check=False,
    )

    if head(release.stream_entries[0])["v"] == contract.FORMAT_VERSION:
        assert "after the upgrade" in done.stdout, done.stderr
        assert done.stdout.split()[1:4] == ["1", "1", "1"]
    else:
        assert "UnreadableEntryError" in done.stderr, "a version that is not known is refused, not misread"


def test_the_shape_of_an_entry_only_grows(release: OldRelease, redis_url: str, tmp_path: Path) -> None:
    """A field that is gone, or means something else, needs a new version."""
    with IngestProcess(redis_url, tmp_path) as ingest:
        assert ingest.post_webhook(b"{}").status == 200
        [entry] = [{name.encode(): value for name, value in fields.items()} for fields in decoded(redis_url)]
    before, now = head(release.stream_entries[0]), head(entry)

    if now["v"] == before["v"]:
        assert set(release.stream_entries[0]) <= set(entry)
        assert {name: type(value) for name, value in before.items()} == {name: type(now[name]) for name in before}
    else:
        assert now["v"] > before["v"]


def raw(redis_url: str) -> list[dict[str, str]]:
    """The stream's entries as JSON can hold them."""
    return [{name: value.decode("latin-1") for name, value in fields.items()} for fields in decoded(redis_url)]


def decoded(redis_url: str) -> list[dict[str, bytes]]:
    with connect(redis_url) as redis:
        found: Any = redis.xrange(contract.STREAM)
    return [{name.decode(): value for name, value in fields.items()} for _, fields in found]
