"""Measures the time from acknowledgement to visibility in the API, and the time until a warm `./run` is ready."""

import http.client
import json
import random
import time
from pathlib import Path

from dev.bench import verification
from dev.bench.errors import WrongResultError
from dev.bench.load import sample_webhooks
from dev.bench.load.load import LoadSpec
from dev.bench.load.sample_webhooks import SampleSenders
from dev.bench.results.results import Limit, ResultRow, ResultTable, Samples, quantile
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import API_TOKEN, HOST, BenchServers
from dev.supervisor.stack import LocalStack

EVENTS_PER_SECOND = 100
TIMEOUT_SECONDS = 10.0


def run(servers: BenchServers, scale: BenchmarkScale) -> list[ResultTable]:
    rounds = [_measure_delays(servers, scale.run_seconds * 2) for _ in range(scale.round_count)]
    halves, late = (
        Samples(tuple(1000 * quantile(sorted(found), share) for found, _ in rounds)) for share in (0.5, 0.99)
    )
    starts = Samples(tuple(_warm_starts(servers.folder / "warm", scale.round_count)))
    return [
        ResultTable(
            f"from acknowledgement to readable over the API, at {EVENTS_PER_SECOND} events/s",
            (
                ResultRow("p50", "ms", halves, target=Limit("at most", 15)),
                ResultRow("p99", "ms", late, target=Limit("at most", 60)),
            ),
            (f"{sum(len(found) for found, _ in rounds)} messages were looked for, beside the load.", rounds[0][1]),
        ),
        ResultTable("warm ./run to ready", (ResultRow("seconds", "s", starts, target=Limit("at most", 3)),)),
    ]


def _measure_delays(servers: BenchServers, seconds: float) -> tuple[list[float], str]:
    """Post single messages repeatedly and poll their chats until they are visible."""
    with (
        servers.redis(),
        servers.database() as database_url,
        servers.start_module("ingest") as ingest,
        servers.start_workers(database_url),
        servers.start_module("api", database_url) as api,
    ):
        running = LoadSpec(ingest.port, 16, rate=EVENTS_PER_SECOND, seconds=seconds).start()
        time.sleep(min(1.0, seconds / 4))
        senders = SampleSenders(chat_count=50)
        asking = http.client.HTTPConnection(HOST, api.port, timeout=10)
        posting = http.client.HTTPConnection(HOST, ingest.port, timeout=10)
        found: list[float] = []
        while running.is_running:
            number = len(found)
            text = f"look {senders.id_prefix} {number}".encode()
            found.append(
                _readable_after(posting, asking, senders.body(number, text), senders.phone(number).decode(), text)
            )
            time.sleep(random.uniform(0.005, 0.05))
        outcome = running.wait().require_all_acknowledged()
        checked = verification.verify_all_stored(database_url, outcome.acknowledged + len(found))
    return found, f"{checked}."


def _readable_after(
    ingest: http.client.HTTPConnection, api: http.client.HTTPConnection, body: bytes, phone: str, text: bytes
) -> float:
    signed = {
        "X-Webhook-Signature": f"sha256={sample_webhooks.signature(body).decode()}",
        "Content-Type": "application/json",
    }
    ingest.request("POST", sample_webhooks.PATH, body, signed)
    answer = ingest.getresponse()
    answer.read()
    acknowledged = time.perf_counter()
    if answer.status != 200:
        raise WrongResultError(f"A message was answered with {answer.status}.")
    while time.perf_counter() < acknowledged + TIMEOUT_SECONDS:
        api.request("GET", f"/api/chats/{phone}?limit=5", headers={"Authorization": f"Bearer {API_TOKEN}"})
        page = api.getresponse().read()
        if text in page:
            json.loads(page)
            return time.perf_counter() - acknowledged
    raise WrongResultError(f"An acknowledged message could not be read after {TIMEOUT_SECONDS:g} s.")


def _warm_starts(folder: Path, count: int) -> list[float]:
    """Return the durations of warm starts with the default number of workers.

    The first start creates the data folder and is not counted.
    """
    found: list[float] = []
    for _ in range(count + 1):
        begun = time.perf_counter()
        with LocalStack(folder, {"WORKERS": ""}):
            found.append(time.perf_counter() - begun)
    return found[1:]
