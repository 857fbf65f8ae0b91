"""Runs processes on servers that a test destroys, and the commands that an operator uses then."""

import os
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import requests

from dev.chaos.event_generator import SECRET, EventGenerator, sign
from dev.chaos.webhook_sender import WebhookSender
from dev.embedded.managed_process import ManagedProcess
from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.valkey import EmbeddedValkey
from dev.supervisor import listeners
from ingest.queue import contract
from tests.support.processes import preloaded_python
from tests.support.processes.preloaded_python import PreloadedProcess
from tests.support.stream.stream_writer import connect
from tests.support.waiting import wait_until

API_TOKEN = "made-up-for-the-drill"


def run_store_command(url: str, *arguments: object) -> str:
    """Return the output of `python -m store …`, which must succeed."""
    done = preloaded_python.run("store", *map(str, arguments), environment=os.environ | {"DATABASE_URL": url})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fetch_rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def batch_sizes(url: str) -> dict[tuple[str, int], int]:
    """Return the number of events of each batch in the database."""
    return {
        (writer.hex, number): size
        for writer, number, size in fetch_rows(url, "SELECT writer, number, size FROM batches")
    }


def event_bodies(url: str) -> set[bytes]:
    return {bytes(body) for (body,) in fetch_rows(url, "SELECT body FROM raw_events")}


class DisasterDrill:
    """An ingest that runs throughout, and workers and APIs that move from one server to the next."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.valkey = stack.enter_context(EmbeddedValkey(folder / "valkey"))
        self.old = stack.enter_context(EmbeddedPostgres(folder / "old", ephemeral=True))
        listener = stack.enter_context(listeners.open_listener("127.0.0.1", 0, "INGEST_PORT"))
        self.port = listeners.port_of(listener)
        number = listener.fileno()
        self._shared = {"REDIS_URL": self.valkey.url, "DATA_DIR": str(folder), "API_TOKEN": API_TOKEN}
        self.ingest = stack.enter_context(
            PreloadedProcess(
                "ingest",
                # A tail would restore what the drill has to lose.
                self._shared | {"WEBHOOK_SECRETS": SECRET, "LISTEN_FD": str(number), "TAIL_SECONDS": "0"},
                folder / "ingest.log",
                pass_fds=[number],
            )
        )
        self.redis: Any = stack.enter_context(closing(connect(self.valkey.url)))
        self._api_listener = stack.enter_context(listeners.open_listener("127.0.0.1", 0, "API_PORT"))

    def start_worker(self, url: str, **environment: str) -> ManagedProcess:
        return self.stack.enter_context(
            PreloadedProcess("worker", self._shared | {"DATABASE_URL": url, **environment}, self.folder / "worker.log")
        )

    def start_api(self, url: str) -> ManagedProcess:
        number = self._api_listener.fileno()
        api = PreloadedProcess(
            "api",
            self._shared | {"DATABASE_URL": url, "LISTEN_FD": str(number)},
            self.folder / "api.log",
            pass_fds=[number],
        )
        self.stack.enter_context(api)
        wait_until(lambda: self.request("GET", "/readyz").status_code == 200)
        return api

    def request(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own
        headers = {"Authorization": f"Bearer {API_TOKEN}", **options.pop("headers", {})}
        url = f"http://127.0.0.1:{listeners.port_of(self._api_listener)}{path}"
        return requests.request(method, url, headers=headers, timeout=30, **options)

    def get_data(self, path: str) -> dict[str, Any]:
        answer = self.request("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def post_webhook(self, body: bytes) -> bytes:
        """Post a webhook, which must be acknowledged."""
        url = f"http://127.0.0.1:{self.port}/whatsapp-webhook"
        assert requests.post(url, data=body, headers={"X-Webhook-Signature": sign(body)}, timeout=30).ok
        return body

    def send_webhooks(self, seconds: float, events: EventGenerator) -> list[bytes]:
        """Post webhooks at a fixed rate for `seconds`. Return those that were acknowledged."""
        with WebhookSender(self.port, events, rate=60) as sender:
            time.sleep(seconds)
        assert not sender.deliveries.unanswered
        return sender.deliveries.acknowledged

    def pending_batches(self) -> list[contract.RawBatch]:
        return [contract.from_fields(fields) for _, fields in self.redis.xrange(contract.STREAM)]
