"""Measures resident memory under load, its growth, and the memory of kept and of waiting events in Redis."""

import itertools
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from typing import cast

import redis

from dev.bench import process_usage, stream_backlog, verification
from dev.bench.load.load import LoadSpec
from dev.bench.results.results import Limit, ResultRow, ResultTable, Samples
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import API_TOKEN, HOST, BenchServers, StartedProcess
from ingest.queue import contract
from worker.drain.kept_entries import DEFAULT_SHARE

EVENTS_PER_SECOND = 1000
MIB = 1 << 20
LIMITS_MIB = {"ingest": 80, "worker": 100, "api": 120}


def run(servers: BenchServers, scale: BenchmarkScale) -> list[ResultTable]:
    return [_measure_resident(servers, scale), _measure_redis(servers, scale)]


def _measure_resident(servers: BenchServers, scale: BenchmarkScale) -> ResultTable:
    seconds = 590.0 if scale.full else scale.run_seconds * 10
    first = 60.0 if scale.full else scale.run_seconds * 2
    with (
        servers.redis() as client,
        servers.database() as database_url,
        servers.start_module("ingest") as ingest,
        servers.start_workers(database_url) as workers,
        servers.start_module("api", database_url) as api,
    ):
        processes = {"ingest": [ingest], "worker": workers, "api": [api]}
        running = LoadSpec(ingest.port, 16, rate=EVENTS_PER_SECOND, seconds=seconds).start()
        over = threading.Event()
        reader = threading.Thread(target=poll_api, args=[api, over])
        reader.start()
        begun = time.perf_counter()
        early: dict[str, int] = {}
        most = dict.fromkeys(processes, 0)
        stream = 0
        while running.is_running:
            now = _resident_bytes(processes)
            most = {name: max(most[name], now[name]) for name in now}
            if not early and time.perf_counter() > begun + first:
                early = now
            stream = max(stream, _stream_bytes(client))
            time.sleep(0.25)
        over.set()
        reader.join()
        outcome = running.wait().require_all_acknowledged()
        late = _resident_bytes(processes)
        checked = verification.verify_all_stored(database_url, outcome.acknowledged)
        memory = cast("dict[str, int]", client.info("memory"))  # pyright: ignore[reportUnknownMemberType] - **kwargs
    rows = [
        row
        for name, limit in LIMITS_MIB.items()
        for row in (
            ResultRow(f"{name}, most", "MiB", Samples.of(most[name] / MIB), target=Limit("at most", limit)),
            ResultRow(
                f"{name}, at the end",
                "MiB",
                Samples.of(late[name] / MIB),
                f"after {first:.0f} s",
                Samples.of(early.get(name, late[name]) / MIB),
                Limit("at most", 1.1),
            ),
        )
    ]
    rows.append(
        ResultRow(
            "stream, most",
            "MiB",
            Samples.of(stream / MIB),
            "the limit of what it keeps",
            Samples.of(memory["maxmemory"] * DEFAULT_SHARE / MIB),
            Limit("at most", 1.0),
        )
    )
    return ResultTable(
        f"resident memory, {seconds:.0f} s at {EVENTS_PER_SECOND} events/s and a busy reader",
        tuple(rows),
        (f"{checked}.",),
    )


def _resident_bytes(processes: Mapping[str, Sequence[StartedProcess]]) -> dict[str, int]:
    """Return the resident bytes of the largest process of each kind."""
    return {
        kind: max(process_usage.resident_bytes(process.pid) for process in started)
        for kind, started in processes.items()
    }


def poll_api(api: StartedProcess, stop: threading.Event) -> None:
    """Simulate a dashboard that polls without pause."""
    for number in itertools.count():
        if stop.wait(0.02):
            return
        path = "/api/chats?limit=100" if number % 2 else f"/api/chats/9198{number % 500:08d}"
        request = urllib.request.Request(
            f"http://{HOST}:{api.port}{path}", headers={"Authorization": f"Bearer {API_TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own URL
            answer.read()


def _stream_bytes(client: "redis.Redis") -> int:
    size = client.memory_usage(contract.STREAM, samples=0)  # pyright: ignore[reportUnknownMemberType] - **kwargs
    return size or 0


def _measure_redis(servers: BenchServers, scale: BenchmarkScale) -> ResultTable:
    rows: list[ResultRow] = []
    for connections in (64, 8, 1):
        with servers.redis() as client, servers.start_module("ingest") as ingest:
            LoadSpec(ingest.port, connections, seconds=scale.run_seconds).run().require_all_acknowledged()
            waiting = stream_backlog.measure(client)
            taken = _stream_bytes(client)
        rows.append(
            ResultRow(
                f"Redis, filled over {connections} connection{'s' if connections > 1 else ''}",
                "bytes",
                Samples.of(taken / waiting.events),
                "raw body",
                Samples.of(waiting.body_bytes / waiting.events),
                Limit("at most", 1.5),
            )
        )
    return ResultTable("memory of Redis per waiting event", tuple(rows))
