"""Measures the sustained rate of acknowledged and stored events of the system and of its alternatives."""

import time
from dataclasses import dataclass

from dev.bench import stream_backlog, verification
from dev.bench.errors import WrongResultError
from dev.bench.load.load import LoadSpec
from dev.bench.load.sample_webhooks import PATH
from dev.bench.references import guide
from dev.bench.results.results import Limit, ResultRow, ResultTable, Samples
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import HOST, BenchServers

CONNECTIONS = 64
LONG_RUN_SECONDS = 30.0
INITIAL_RATE_FACTOR = 0.95
"""The first rate to try, as a share of the rate at which a burst was stored."""
RATE_REDUCTION = 0.85
MAX_ATTEMPTS = 6
BACKLOG_GROWTH_SECONDS = 0.5
"""If the backlog at the end exceeds that in the middle by more than arrives in this time, it has grown."""
MISS_REASON = (
    "The cores are used up, docs/performance.md explains: an event is seven rows with their indexes, which the guide's "
    "receiver and a job per event do not store."
)


@dataclass(frozen=True, slots=True)
class SustainedRate:
    events_per_second: float
    """The rate of events that were both acknowledged and stored."""
    cpu_microseconds: float
    """The CPU time of all processes that took and stored an event, per event."""
    notes: tuple[str, ...]


def measure(servers: BenchServers, scale: BenchmarkScale) -> ResultTable:
    """Measure the rates in alternating runs. The time of a run ends when all of its acknowledged events are stored."""
    ours, flask, jobs = list[SustainedRate](), list[SustainedRate](), list[SustainedRate]()
    for turn in range(max(1, scale.round_count - 1)):
        ours.append(
            find_rate(
                servers, scale, LONG_RUN_SECONDS if turn == 0 and scale.round_count > 1 else scale.run_seconds * 2
            )
        )
        flask.append(_measure_flask(servers, scale))
        jobs.append(_measure_job_per_event(servers, scale))
    mine = _rates(ours)
    return ResultTable(
        f"acknowledged and stored, {CONNECTIONS} connections, {servers.worker_count} workers, appendfsync always",
        (
            ResultRow(
                "sustained", "/s", mine, "guide's Flask receiver", _rates(flask), Limit("at least", 35), MISS_REASON
            ),
            ResultRow("sustained", "/s", mine, "a job per event", _rates(jobs), Limit("at least", 60), MISS_REASON),
            ResultRow("processor time of an event", "µs", _costs(ours), "guide's Flask receiver", _costs(flask)),
        ),
        (*ours[0].notes, *flask[0].notes, *jobs[0].notes),
    )


def _rates(runs: list[SustainedRate]) -> Samples:
    return Samples(tuple(run.events_per_second for run in runs))


def _costs(runs: list[SustainedRate]) -> Samples:
    return Samples(tuple(run.cpu_microseconds for run in runs))


def find_rate(servers: BenchServers, scale: BenchmarkScale, seconds: float) -> SustainedRate:
    """Start at the rate of a burst, and lower it until the backlog grows neither in a short nor in a long run."""
    burst = _burst_rate(servers, scale)
    rate = burst * INITIAL_RATE_FACTOR
    cost, note = 0.0, ""
    for length in (scale.run_seconds * 1.5, seconds):
        for _ in range(MAX_ATTEMPTS):
            grown, cost, note = _run_at_rate(servers, rate, length)
            if not grown:
                break
            rate *= RATE_REDUCTION
        else:
            raise WrongResultError(f"The backlog grew even at {rate:,.0f}/s.")
    return SustainedRate(rate, cost, (f"A burst was stored at {burst:,.0f}/s.", note))


def _burst_rate(servers: BenchServers, scale: BenchmarkScale) -> float:
    with (
        servers.redis() as client,
        servers.database() as database_url,
        servers.start_module("ingest") as ingest,
        servers.start_workers(database_url),
    ):
        outcome = (
            LoadSpec(ingest.port, CONNECTIONS, count=int(2000 * scale.run_seconds)).run().require_all_acknowledged()
        )
        ended = stream_backlog.wait_until_empty(client, 120)
        verification.verify_all_stored(database_url, outcome.acknowledged)
    return outcome.acknowledged / (ended - outcome.started_at)


def _run_at_rate(servers: BenchServers, rate: float, seconds: float) -> tuple[bool, float, str]:
    """Return whether the backlog grew at this rate, the CPU time of an event in µs, and a sentence about the run."""
    with (
        servers.redis() as client,
        servers.database() as database_url,
        servers.start_module("ingest") as ingest,
        servers.start_workers(database_url) as workers,
    ):
        usage = servers.start_usage_meter(ingest=[ingest], workers=workers)
        running = LoadSpec(ingest.port, CONNECTIONS, rate=rate, seconds=seconds).start()
        behind: list[int] = []
        while running.is_running:
            behind.append(stream_backlog.measure(client).events)
            time.sleep(0.2)
        outcome = running.wait().require_all_acknowledged()
        stream_backlog.wait_until_empty(client, 120)
        spent = usage.cpu_seconds()
        checked = verification.verify_all_stored(database_url, outcome.acknowledged)
    loaded = behind[: max(1, len(behind) - 3)]
    middle = sum(loaded[len(loaded) // 3 : len(loaded) * 2 // 3]) / max(1, len(loaded) // 3)
    end = sum(loaded[-len(loaded) // 3 :]) / max(1, len(loaded) // 3)
    cpu_shares = ", ".join(f"{name} {used / outcome.seconds:.0%}" for name, used in spent.items())
    note = (
        f"{seconds:.0f} s at {rate:,.0f}/s: {checked}; answers p50 {outcome.latency_ms['p50']:.1f} ms, "
        f"p99 {outcome.latency_ms['p99']:.1f} ms from when each was due; at most {max(behind):,} waited; "
        f"of a core: {cpu_shares}."
    )
    return end > middle + rate * BACKLOG_GROWTH_SECONDS, 1e6 * sum(spent.values()) / outcome.acknowledged, note


def _measure_flask(servers: BenchServers, scale: BenchmarkScale) -> SustainedRate:
    with servers.database("guide", migrated=False) as database_url:
        guide.create_tables(database_url)
        port = servers.free_port()
        arguments = ["-m", "gunicorn", "--workers", "2", "--threads", "8", "--bind", f"{HOST}:{port}"]
        arguments += ["--log-level", "error", "dev.bench.references.flask_receiver:create_app()"]
        with servers.start_python(
            arguments, port, {"DATABASE_URL": database_url}, f"http://{HOST}:{port}{PATH}"
        ) as server:
            usage = servers.start_usage_meter(flask=[server])
            outcome = LoadSpec(port, CONNECTIONS, seconds=scale.run_seconds * 2).run().require_all_acknowledged()
            spent = usage.cpu_seconds()
        stored = guide.count_messages(database_url)
    note = (
        f"The guide's Flask receiver stored {stored:,} of {outcome.acknowledged:,} acknowledged; it used "
        f"{spent['flask'] / outcome.seconds:.0%} of a core and PostgreSQL {spent['postgres'] / outcome.seconds:.0%}, "
        f"the generator {outcome.cpu_seconds / outcome.seconds:.0%}: it was not starved."
    )
    return SustainedRate(stored / outcome.seconds, 1e6 * sum(spent.values()) / stored, (note,))


def _measure_job_per_event(servers: BenchServers, scale: BenchmarkScale) -> SustainedRate:
    """Measure a receiver that enqueues one RQ job per event, from the first request until the last job is done."""
    with servers.redis(), servers.database("guide", migrated=False) as database_url:
        guide.create_tables(database_url)
        port = servers.free_port()
        environment = {"PORT": str(port), "REDIS_URL": servers.valkey.url, "DATABASE_URL": database_url}
        url = f"http://{HOST}:{port}{PATH}"
        with (
            servers.start_python(["-m", "dev.bench.references.rq_endpoint"], port, environment, url) as endpoint,
            servers.start_python(["-m", "dev.bench.references.rq_worker"], port, environment, None) as worker,
        ):
            usage = servers.start_usage_meter(endpoint=[endpoint], worker=[worker])
            outcome = LoadSpec(port, CONNECTIONS, count=int(50 * scale.run_seconds)).run().require_all_acknowledged()
            while (
                stored := guide.count_messages(database_url)
            ) < outcome.acknowledged and time.time() < outcome.started_at + 120:
                time.sleep(0.05)
            seconds = time.time() - outcome.started_at
            spent = sum(usage.cpu_seconds().values())
    note = (
        f"A job per event stored {stored:,} of {outcome.acknowledged:,} in {seconds:.1f} s, "
        f"with {spent:.1f} s of processor."
    )
    return SustainedRate(stored / seconds, 1e6 * spent / stored, (note,))
