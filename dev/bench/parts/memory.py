"""What is resident under load, whether it grows, and what waiting events take in Redis."""

import itertools
import threading
import time
import urllib.request
from typing import cast

from dev.bench import process_usage, stream_backlog, verification
from dev.bench.load import Load
from dev.bench.results import Row, Samples, Table, Target
from dev.bench.scale import Plan
from dev.bench.testbed import HOST, TOKEN, Lab, Started
from ingest.queue import contract

RATE = 1000
MIB = 1 << 20
LIMITS = {"ingest": 80, "worker": 100, "api": 120}


def run(lab: Lab, plan: Plan) -> list[Table]:
    return [_resident(lab, plan), _redis(lab, plan)]


def _resident(lab: Lab, plan: Plan) -> Table:
    seconds = 590.0 if plan.full else plan.seconds * 10
    first = 60.0 if plan.full else plan.seconds * 2
    with (
        lab.redis(),
        lab.database() as database_url,
        lab.ours("ingest") as ingest,
        lab.ours("worker", database_url) as worker,
        lab.ours("api", database_url) as api,
    ):
        processes = {"ingest": ingest, "worker": worker, "api": api}
        running = Load(ingest.port, 16, rate=RATE, seconds=seconds).begin()
        over = threading.Event()
        reader = threading.Thread(target=read_restlessly, args=[api, over])
        reader.start()
        begun = time.perf_counter()
        early: dict[str, int] = {}
        most = dict.fromkeys(processes, 0)
        while running.alive:
            now = {name: process_usage.resident(process.pid) for name, process in processes.items()}
            most = {name: max(most[name], now[name]) for name in now}
            if not early and time.perf_counter() > begun + first:
                early = now
            time.sleep(0.25)
        over.set()
        reader.join()
        outcome = running.outcome().clean()
        late = {name: process_usage.resident(process.pid) for name, process in processes.items()}
        checked = verification.all_stored(database_url, outcome.acknowledged)
    rows = [
        row
        for name, limit in LIMITS.items()
        for row in (
            Row(f"{name}, most", "MiB", Samples.of(most[name] / MIB), target=Target("at most", limit)),
            Row(
                f"{name}, at the end",
                "MiB",
                Samples.of(late[name] / MIB),
                f"after {first:.0f} s",
                Samples.of(early.get(name, late[name]) / MIB),
                Target("at most", 1.1),
            ),
        )
    ]
    return Table(
        f"resident memory, {seconds:.0f} s at {RATE} events/s and a busy reader", tuple(rows), (f"{checked}.",)
    )


def read_restlessly(api: Started, over: threading.Event) -> None:
    """A dashboard that never rests."""
    for number in itertools.count():
        if over.wait(0.02):
            return
        path = "/api/chats?limit=100" if number % 2 else f"/api/chats/9198{number % 500:08d}"
        request = urllib.request.Request(
            f"http://{HOST}:{api.port}{path}", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own URL
            answer.read()


def _redis(lab: Lab, plan: Plan) -> Table:
    rows: list[Row] = []
    for connections in (64, 8, 1):
        with lab.redis() as client, lab.ours("ingest") as ingest:
            Load(ingest.port, connections, seconds=plan.seconds).put().clean()
            waiting = stream_backlog.count(client)
            taken = cast("int", client.memory_usage(contract.STREAM, samples=0))  # pyright: ignore[reportUnknownMemberType] - **kwargs
        rows.append(
            Row(
                f"Redis, filled over {connections} connection{'s' if connections > 1 else ''}",
                "bytes",
                Samples.of(taken / waiting.events),
                "raw body",
                Samples.of(waiting.bytes / waiting.events),
                Target("at most", 1.5),
            )
        )
    return Table("memory of Redis per waiting event", tuple(rows))
