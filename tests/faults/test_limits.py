"""Tests exhausted resources of a machine, and host names that do not resolve."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from dev.chaos import event_generator, verdict
from dev.chaos.event_generator import EventGenerator
from dev.chaos.system_under_test import SystemUnderTest
from dev.chaos.webhook_sender import WEBHOOK_PATH, WebhookSender
from dev.embedded.managed_process import ManagedProcess
from dev.supervisor import listeners
from ingest.queue import contract
from tests.support.history import ledger_counts
from tests.support.stream.stream_writer import connect

FEW_FILES = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (88, 88))"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listeners.open_listener("127.0.0.1", 0, "INGEST_PORT") as made:
        yield made


def ingest(listener: socket.socket, redis_url: str, folder: Path, prelude: str | None = None) -> ManagedProcess:
    environment = {
        "LISTEN_FD": str(listener.fileno()),
        "REDIS_URL": redis_url,
        "WEBHOOK_SECRETS": event_generator.SECRET,
        "DATA_DIR": str(folder),
    }
    return ManagedProcess("ingest", environment, folder / "ingest.log", pass_fds=[listener.fileno()], prelude=prelude)


def post(listener: socket.socket, body: bytes) -> dict[str, Any]:
    """Return the response to a webhook, which must be an acknowledgement."""
    url = f"http://127.0.0.1:{listeners.port_of(listener)}{WEBHOOK_PATH}"
    answer = requests.post(url, data=body, headers={"X-Webhook-Signature": event_generator.sign(body)}, timeout=8)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.content)


def test_a_crowd_that_takes_all_file_descriptors_keeps_no_webhook_waiting(
    listener: socket.socket, redis_url: str, tmp_path: Path
) -> None:
    """Idle connections are closed in favour of newer ones, and ingest reserves the descriptors that it needs itself."""
    with ingest(listener, redis_url, tmp_path, FEW_FILES) as program, contextlib.ExitStack() as stack:
        assert post(listener, b"before")["path"] == "stream"
        paths = {
            post(listener, b"%d" % number)["path"]
            for number in range(150)
            if stack.enter_context(socket.create_connection(("127.0.0.1", listeners.port_of(listener))))
        }

        assert paths == {"stream"}
        assert program.is_running
        assert program.start_count == 1


def test_a_name_that_leads_nowhere_is_an_outage_like_any_other(listener: socket.socket, tmp_path: Path) -> None:
    """If the resolver fails, Redis is unavailable, but no event from the gateway is lost."""
    with ingest(listener, "redis://no-such-host.invalid:6379/0", tmp_path):
        assert post(listener, b"{}")["path"] == "spool"


def test_an_append_only_file_with_a_torn_end_is_read_up_to_there() -> None:
    """After a power failure, the end of the file may be missing. Everything before it is kept and drained."""
    with SystemUnderTest() as system:
        [worker] = system.workers
        worker.kill()
        with WebhookSender(system.port, EventGenerator(96), 50) as sender:
            time.sleep(1)
        redis: Any = connect(system.valkey.url)
        sizes = [len(contract.from_fields(fields).bodies) for _, fields in redis.xrange(contract.STREAM)]
        system.valkey.kill()
        [log] = (system.valkey.folder / "appendonlydir").glob("*.incr.aof")
        with log.open("r+b") as file:
            file.truncate(log.stat().st_size - 3)
        system.valkey.start()
        with WebhookSender(system.port, EventGenerator(97), 50) as second:
            system.wait(1)
        acknowledged = sender.deliveries.acknowledged + second.deliveries.acknowledged
        end = time.monotonic() + 20
        while (
            ledger_counts.count_events(system.postgres.url) < len(acknowledged) - max(sizes) and time.monotonic() < end
        ):
            system.wait(0.1)
        found = verdict.judge(system.postgres.url, acknowledged)

    assert sender.deliveries.acknowledged
    assert not second.deliveries.refused
    assert found.missing_events <= max(sizes), found
    assert found.duplicate_rows == 0
