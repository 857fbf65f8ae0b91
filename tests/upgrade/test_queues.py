"""Tests that this version reads queue entries and spools of a release, and the release those of this version."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ingest.queue import contract
from tests.support.processes.ingest_process import IngestProcess
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.project.old_release import OldRelease
from tests.support.stream.stream_writer import connect
from worker.drain.stream import UNREADABLE_STREAM

READ: Final = """
import json, sys
from ingest.queue import contract
for entry in json.load(sys.stdin):
    batch = contract.from_fields({name.encode(): value.encode("latin-1") for name, value in entry.items()})
    print(contract.to_fields(batch)[b"bodies"].decode())
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
    assert pipeline.redis.xlen(UNREADABLE_STREAM) == 0


def test_a_released_spool_is_adopted_and_stored(
    release: OldRelease, make_pipeline: Callable[..., WorkerPipeline], tmp_path: Path
) -> None:
    """An upgrade may happen during an outage of Redis."""
    pipeline = make_pipeline()
    spool = tmp_path / "spool"
    spool.mkdir()
    release.restore_spool(spool / "left-by-a-release.spool")
    with IngestProcess(pipeline.redis_url, tmp_path):
        pipeline.create_worker().start()

        assert pipeline.wait_until(lambda: pipeline.count_ledger_events() == len(release.stream_entries), 30), (
            pipeline.worker_output
        )
    assert pipeline.fetch_rows("SELECT count(*) > 0 FROM whatsapp_messages") == [(True,)]


def test_a_released_worker_reads_what_is_written_now(release: OldRelease, redis_url: str, tmp_path: Path) -> None:
    """Ingest may be replaced before the workers. An old worker sets entries of a newer format aside."""
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

    if json.loads(entries[0]["head"])["v"] == head(release.stream_entries[0])["v"]:
        assert done.stdout.strip() == body.decode(), done.stderr
    else:
        assert "UnreadableEntryError" in done.stderr, "an unknown format is refused, not misread"


def test_the_shape_of_an_entry_only_grows(release: OldRelease, redis_url: str, tmp_path: Path) -> None:
    """Removing a field or changing its meaning needs a new format version."""
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
    """Return the stream's entries, with values that JSON can represent."""
    return [{name: value.decode("latin-1") for name, value in fields.items()} for fields in decoded(redis_url)]


def decoded(redis_url: str) -> list[dict[str, bytes]]:
    with connect(redis_url) as redis:
        found: Any = redis.xrange(contract.STREAM)
    return [{name.decode(): value for name, value in fields.items()} for _, fields in found]
