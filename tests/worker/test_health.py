"""A worker is ready while events are being stored, and otherwise reports the reason."""

import contextlib
import json
import socket
from pathlib import Path

import pytest

from dev.chaos.event_generator import EventGenerator
from dev.embedded.managed_process import ManagedProcess
from store.doctor import checks
from tests.support.processes import worker_http
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.servers.failing_triggers import CREATE_DISK_FULL_TRIGGER
from worker import health
from worker.drain.stream import StreamConsumer

SHORT_RETRIES = "from worker.drain import entry_store; entry_store.RETRY_SECONDS = 1.0"


@pytest.fixture
def worker(pipeline: WorkerPipeline) -> ManagedProcess:
    return pipeline.create_worker(prelude=SHORT_RETRIES, WORKER_PORT=worker_http.free_port()).start()


def is_ready(worker: ManagedProcess) -> bool:
    return worker_http.fetch(worker, "/readyz")[0] == 200


def reasons(worker: ManagedProcess) -> str:
    status, body = worker_http.fetch(worker, "/readyz")
    return " ".join(json.loads(body)["reasons"]) if status == 503 else ""


@pytest.mark.long
def test_a_full_disk_of_postgresql_makes_it_unready_until_it_has_room(
    pipeline: WorkerPipeline, worker: ManagedProcess
) -> None:
    """PostgreSQL responds but stores nothing, so a successful connection is not enough."""
    assert pipeline.wait_until(lambda: is_ready(worker)), worker.output
    pipeline.execute(CREATE_DISK_FULL_TRIGGER)
    pipeline.feed.append(EventGenerator(141).take(10))
    assert pipeline.wait_until(lambda: "The last drain failed" in reasons(worker), 30), worker.output
    assert "53100" in reasons(worker)
    found = {one.name: one for one in checks.check_database({"DATABASE_URL": pipeline.database_url})}
    assert (found["worker.drain"].severity, "53100" in found["worker.drain"].message) == ("broken", True)
    pipeline.execute("DROP TRIGGER disk_full ON batches")

    assert pipeline.wait_until_drained(30), worker.output
    assert pipeline.wait_until(lambda: is_ready(worker)), worker.output


@pytest.mark.long
@pytest.mark.timeout(120)
def test_a_locked_table_makes_it_unready_until_it_is_free(pipeline: WorkerPipeline, worker: ManagedProcess) -> None:
    """A locked table blocks storing, although the stream is still checked every second."""
    assert pipeline.wait_until(lambda: is_ready(worker)), worker.output
    with pipeline.hold_session("BEGIN; LOCK TABLE whatsapp_messages"):
        pipeline.feed.append(EventGenerator(142).take(30))
        assert pipeline.wait_until(lambda: "55P03" in reasons(worker), 40), worker.output

    assert pipeline.wait_until_drained(40), worker.output
    assert pipeline.wait_until(lambda: is_ready(worker)), worker.output


@pytest.mark.long
@pytest.mark.timeout(120)
def test_a_batch_that_nobody_stores_makes_it_unready(pipeline: WorkerPipeline, worker: ManagedProcess) -> None:
    """Another worker holds the batch and hangs, so this worker has no failure of its own."""
    assert pipeline.wait_until(lambda: is_ready(worker)), worker.output
    worker.kill()
    entry = pipeline.feed.append(EventGenerator(143).take(10))
    holder = StreamConsumer(pipeline.redis, "hanging")
    assert len(holder.read_new(10)) == 1
    worker.start()

    def is_stalled() -> bool:
        holder.refresh_claims([entry])
        return "has not been stored for" in reasons(worker)

    assert pipeline.wait_until(is_stalled, 60), worker.output
    assert pipeline.wait_until_drained(30), worker.output
    assert pipeline.wait_until(lambda: is_ready(worker)), worker.output


@pytest.mark.long
def test_a_crowd_of_silent_clients_keeps_no_probe_waiting(pipeline: WorkerPipeline, worker: ManagedProcess) -> None:
    """A probe without a response restarts the worker, and each connection would take a thread and a descriptor."""
    assert pipeline.wait_until(lambda: is_ready(worker)), worker.output
    descriptors = Path(f"/proc/{worker.pid}/fd")
    before = len(list(descriptors.iterdir()))
    with contextlib.ExitStack() as crowd:
        for _ in range(200):
            address = ("127.0.0.1", int(worker.environment["WORKER_PORT"]))
            crowd.enter_context(socket.create_connection(address)).sendall(b"GET /healthz HTTP/1.1\r\n")

        assert [worker_http.fetch(worker, "/healthz")[0] for _ in range(20)] == [200] * 20
        assert pipeline.wait_until(lambda: len(list(descriptors.iterdir())) <= before + health.MAX_CONNECTIONS)
