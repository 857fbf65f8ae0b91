"""How soon what was acknowledged can be read over the API, and how soon a warm `./run` is ready."""

import http.client
import json
import random
import time
from pathlib import Path

from dev.bench import sample_webhooks, verification
from dev.bench.errors import WrongError
from dev.bench.load import Load
from dev.bench.results import Row, Samples, Table, Target, quantile
from dev.bench.sample_webhooks import Crowd
from dev.bench.scale import Plan
from dev.bench.testbed import HOST, TOKEN, Lab
from dev.supervisor.stack import Stack

RATE = 100
PATIENCE = 10.0


def run(lab: Lab, plan: Plan) -> list[Table]:
    rounds = [_looks(lab, plan.seconds * 2) for _ in range(plan.rounds)]
    halves, late = (
        Samples(tuple(1000 * quantile(sorted(found), share) for found, _ in rounds)) for share in (0.5, 0.99)
    )
    starts = Samples(tuple(_warm_starts(lab.folder / "warm", plan.rounds)))
    return [
        Table(
            f"from acknowledgement to readable over the API, at {RATE} events/s",
            (
                Row("p50", "ms", halves, target=Target("at most", 15)),
                Row("p99", "ms", late, target=Target("at most", 60)),
            ),
            (f"{sum(len(found) for found, _ in rounds)} messages were looked for, beside the load.", rounds[0][1]),
        ),
        Table("warm ./run to ready", (Row("seconds", "s", starts, target=Target("at most", 3)),)),
    ]


def _looks(lab: Lab, seconds: float) -> tuple[list[float], str]:
    """Post a message of one's own now and then, and ask for its chat until it is there."""
    with (
        lab.redis(),
        lab.database() as database_url,
        lab.ours("ingest") as ingest,
        lab.ours("worker", database_url),
        lab.ours("api", database_url) as api,
    ):
        running = Load(ingest.port, 16, rate=RATE, seconds=seconds).begin()
        time.sleep(min(1.0, seconds / 4))
        crowd = Crowd(chats=50)
        asking = http.client.HTTPConnection(HOST, api.port, timeout=10)
        posting = http.client.HTTPConnection(HOST, ingest.port, timeout=10)
        found: list[float] = []
        while running.alive:
            number = len(found)
            text = f"look {crowd.name} {number}".encode()
            found.append(_seconds(posting, asking, crowd.body(number, text), crowd.phone(number).decode(), text))
            time.sleep(random.uniform(0.005, 0.05))
        outcome = running.outcome().clean()
        checked = verification.all_stored(database_url, outcome.acknowledged + len(found))
    return found, f"{checked}."


def _seconds(
    posting: http.client.HTTPConnection, asking: http.client.HTTPConnection, body: bytes, phone: str, text: bytes
) -> float:
    signed = {
        "X-Webhook-Signature": f"sha256={sample_webhooks.signature(body).decode()}",
        "Content-Type": "application/json",
    }
    posting.request("POST", sample_webhooks.PATH, body, signed)
    answer = posting.getresponse()
    answer.read()
    acknowledged = time.perf_counter()
    if answer.status != 200:
        raise WrongError(f"A message was answered with {answer.status}.")
    while time.perf_counter() < acknowledged + PATIENCE:
        asking.request("GET", f"/api/chats/{phone}?limit=5", headers={"Authorization": f"Bearer {TOKEN}"})
        page = asking.getresponse().read()
        if text in page:
            json.loads(page)
            return time.perf_counter() - acknowledged
    raise WrongError(f"An acknowledged message could not be read after {PATIENCE:g} s.")


def _warm_starts(folder: Path, times: int) -> list[float]:
    """The first start makes the data folder and does not count."""
    found: list[float] = []
    for _ in range(times + 1):
        begun = time.perf_counter()
        with Stack(folder):
            found.append(time.perf_counter() - begun)
    return found[1:]
