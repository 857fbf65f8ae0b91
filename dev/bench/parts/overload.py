"""Measures a load above what can be stored: whether anything is refused or lost, and how soon the backlog is stored."""

import time
import urllib.request
from dataclasses import dataclass
from typing import cast

import redis

from dev.bench import process_usage, sustained, verification
from dev.bench.errors import WrongResultError
from dev.bench.load.load import LoadResult, LoadSpec
from dev.bench.parts.memory import LIMITS_MIB, MIB
from dev.bench.results.results import Limit, ResultRow, ResultTable, Samples
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import HOST, BenchServers, StartedProcess
from ingest.queue.redis_rules import MEMORY_HIGH_WATER
from ingest.settings import DEFAULT_TAIL_MAX_BYTES
from store.ledger import ledger
from store.postgres import connections

OVERLOAD = 1.5
"""The load, as a multiple of the rate that can be stored."""
CONNECTIONS = 256
"""A webhook that waits occupies its connection, and a batch has at most one event of each. With 64, the syncs of Redis
would limit the load, and a gateway may open as many as it needs.
"""
LOAD_SECONDS = 60.0
MAX_CATCH_UP_SECONDS = 60.0
MAX_ACKNOWLEDGEMENT_MS = 8000
"""The longest acceptable time in ms until an acknowledgement. SAK gives up after 8 seconds."""
SAMPLE_SECONDS = 0.5
TIMEOUT_SECONDS = 600.0


@dataclass(slots=True)
class _Peaks:
    """The most memory that was in use, in bytes."""

    redis_bytes: int = 0
    ingest_bytes: int = 0
    worker_bytes: int = 0
    spooled_events: int = 0
    redis_limit: int = 0

    def sample(self, client: "redis.Redis", ingest: StartedProcess, workers: list[StartedProcess]) -> None:
        memory = cast("dict[str, int]", client.info("memory"))  # pyright: ignore[reportUnknownMemberType] - **kwargs
        self.redis_bytes = max(self.redis_bytes, int(memory["used_memory"]))
        self.redis_limit = int(memory["maxmemory"])
        self.ingest_bytes = max(self.ingest_bytes, process_usage.resident_bytes(ingest.pid))
        self.worker_bytes = max(self.worker_bytes, *(process_usage.resident_bytes(worker.pid) for worker in workers))
        self.spooled_events = max(self.spooled_events, _spooled_events(ingest))


def run(servers: BenchServers, scale: BenchmarkScale) -> list[ResultTable]:
    seconds = LOAD_SECONDS if scale.round_count > 1 else scale.run_seconds * 4
    stored = sustained.find_rate(servers, scale, scale.run_seconds * 2)
    return [measure(servers, stored.events_per_second, seconds, stored.notes)]


def measure(
    servers: BenchServers, stored_per_second: float, seconds: float, notes: tuple[str, ...] = ()
) -> ResultTable:
    """Apply more load than the rate at which events are stored, and wait until all are stored."""
    offered = stored_per_second * OVERLOAD
    with (
        servers.redis() as client,
        servers.database() as database_url,
        servers.start_module("ingest") as ingest,
        servers.start_workers(database_url) as workers,
    ):
        usage, peaks = servers.start_usage_meter(ingest=[ingest], workers=workers), _Peaks()
        running = LoadSpec(ingest.port, CONNECTIONS, rate=offered, seconds=seconds).start()
        while running.is_running:
            peaks.sample(client, ingest, workers)
            time.sleep(SAMPLE_SECONDS)
        outcome = running.wait()
        shares = {name: used / outcome.seconds for name, used in usage.cpu_seconds().items()}
        waiting, catch_up_seconds, stored = _catch_up(database_url, outcome)
        peaks.sample(client, ingest, workers)
        checked = verification.verify_all_stored(database_url, stored)
    used = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    return ResultTable(
        f"{seconds:.0f} s of {OVERLOAD} times the load that can be stored",
        _rows(
            outcome,
            peaks,
            offered=offered,
            stored=stored_per_second,
            waiting=waiting,
            catch_up_seconds=catch_up_seconds,
        ),
        (
            *notes,
            f"{stored - outcome.acknowledged:,} of the unanswered requests were stored as well; {checked}.",
            f"Of a core under the load: {used}, the generator {outcome.cpu_seconds / outcome.seconds:.0%}.",
        ),
    )


def _rows(  # noqa: PLR0913 - what was measured
    outcome: LoadResult, peaks: _Peaks, *, offered: float, stored: float, waiting: int, catch_up_seconds: float
) -> tuple[ResultRow, ...]:
    refused = sum(outcome.other_statuses.values())
    unanswered = outcome.sent - outcome.acknowledged - refused
    p99 = outcome.latency_ms["worst_p99"]
    limit, share = peaks.redis_limit / MIB, Limit("at most", MEMORY_HIGH_WATER)
    # With appendfsync always, the tail is in memory.
    ingest_limit = LIMITS_MIB["ingest"] + DEFAULT_TAIL_MAX_BYTES / MIB
    return (
        ResultRow("offered", "/s", Samples.of(offered), "stored before", Samples.of(stored)),
        ResultRow("acknowledged", "/s", Samples.of(outcome.rate), "offered", Samples.of(offered)),
        ResultRow("refused", "events", Samples.of(refused), target=Limit("at most", 0)),
        ResultRow("without an answer", "events", Samples.of(unanswered), target=Limit("at most", 0)),
        ResultRow(
            "acknowledged, p99 of the worst second",
            "ms",
            Samples.of(p99),
            target=Limit("at most", MAX_ACKNOWLEDGEMENT_MS),
        ),
        ResultRow("waiting at the end", "events", Samples.of(waiting)),
        ResultRow(
            "until they were stored", "s", Samples.of(catch_up_seconds), target=Limit("at most", MAX_CATCH_UP_SECONDS)
        ),
        ResultRow("Redis, most", "MiB", Samples.of(peaks.redis_bytes / MIB), "maxmemory", Samples.of(limit), share),
        ResultRow("in the spool, most", "events", Samples.of(peaks.spooled_events)),
        ResultRow("ingest, most", "MiB", Samples.of(peaks.ingest_bytes / MIB), target=Limit("at most", ingest_limit)),
        ResultRow(
            "worker, most", "MiB", Samples.of(peaks.worker_bytes / MIB), target=Limit("at most", LIMITS_MIB["worker"])
        ),
    )


def _catch_up(database_url: str, outcome: LoadResult) -> tuple[int, float, int]:
    """Wait until everything that ingest took is stored.

    Return how many events waited at first, after how many seconds none did, and how many are stored. Raises
    WrongResultError if an acknowledged event is missing, or there are more than were sent.
    """
    begun = time.monotonic()
    waiting: int | None = None
    with connections.open(database_url, "bench") as connection:
        while True:
            read = ledger.read(connection)
            waiting = outcome.acknowledged - read.stored if waiting is None else waiting
            seconds = time.monotonic() - begun
            if read.exact and not read.waiting and read.stored >= outcome.acknowledged:
                break
            if seconds > TIMEOUT_SECONDS:
                raise WrongResultError(f"{outcome.acknowledged} were acknowledged, but {read.document()}.")
            time.sleep(SAMPLE_SECONDS / 5)
    if read.stored > outcome.sent:
        raise WrongResultError(f"{outcome.sent} events were sent, and {read.stored} are stored.")
    return max(0, waiting), seconds, read.stored


def _spooled_events(ingest: StartedProcess) -> int:
    with urllib.request.urlopen(f"http://{HOST}:{ingest.port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith("sak_spool_events "))
