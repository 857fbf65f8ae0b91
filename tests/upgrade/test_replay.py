"""Tests a replay by this version over the database of a release."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from dev.checkout import ROOT
from dev.embedded.managed_process import ManagedProcess
from dev.supervisor.stack import LocalStack
from tests.support.processes import worker_http
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.processes.running_system import WEBHOOK_SECRET, RunningSystem, signed_headers
from tests.support.project.old_release import OldRelease
from tests.support.senders import gateway_wire
from tests.support.waiting import wait_until


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_replay_shows_the_messages_that_the_release_did_not_understand(
    release: OldRelease, make_pipeline: Callable[..., WorkerPipeline], server_folder: Path, tmp_path: Path
) -> None:
    """The release classified messages as noise if their first field is not their content.

    Their bodies are still stored.
    """
    pipeline = make_pipeline(empty=True)
    release.migrate(pipeline.database_url)
    bodies = [one["body"].encode() for one in gateway_wire.WIRE]
    worker = release.create_worker(pipeline, tmp_path).start()
    port = worker_http.free_port()
    settings = {"REDIS_URL": pipeline.redis_url, "WEBHOOK_SECRETS": WEBHOOK_SECRET, "DATA_DIR": str(tmp_path)}
    ingest = ManagedProcess(
        "ingest", settings | {"INGEST_PORT": port}, tmp_path / "ingest.log", code_folder=release.code_folder
    )
    with ingest.start():
        wait_until(lambda: answers(port))
        for body in bodies:
            url = f"http://127.0.0.1:{port}/whatsapp-webhook"
            assert requests.post(url, body, headers=signed_headers(body), timeout=20).status_code == 200
        assert pipeline.wait_until_drained(60), pipeline.worker_output
        assert ingest.terminate() == 0
    assert worker.terminate() == 0
    pipeline.workers.remove(worker)
    understood = count_messages(pipeline)

    environ = {"DATABASE_URL": pipeline.database_url, "REDIS_URL": pipeline.redis_url}
    with LocalStack(server_folder / "data", environ | {"WEBHOOK_SECRETS": WEBHOOK_SECRET}) as stack:
        system = RunningSystem(stack)
        replayed = subprocess.run(
            [sys.executable, "-m", "worker", "replay"],
            env={**os.environ, **environ, "DATA_DIR": str(server_folder / "data")},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert replayed.returncode == 0, replayed.stderr
        wait_until(lambda: gateway_wire.is_stored(system, len(bodies)))

        gateway_wire.require_expected(system)
        assert count_messages(pipeline) > understood


def answers(port: str) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False


def count_messages(pipeline: WorkerPipeline) -> int:
    [(count,)] = pipeline.fetch_rows("SELECT count(*) FROM whatsapp_messages")
    return int(count)
