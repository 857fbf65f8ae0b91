"""Measures the sustained rate of acknowledged and stored events of the system and of its alternatives."""

import contextlib
import time
from collections.abc import Generator
from dataclasses import dataclass

from dev.bench import process_usage, stream_backlog, verification
from dev.bench.errors import BrokenPromiseError
from dev.bench.load import LoadSpec
from dev.bench.references import guide
from dev.bench.results import ResultRow, ResultTable, Samples, Target
from dev.bench.sample_webhooks import PATH
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import HOST, BenchServers, StartedProcess

CONNECTIONS = 64
WORKERS = 2
"""As many as there are cores."""
LONG_RUN_SECONDS = 30.0
INITIAL_RATE_FACTOR = 0.95
"""The first rate to try, as a share of the rate at which a burst was stored."""
RATE_REDUCTION = 0.85
MAX_ATTEMPTS = 6
BACKLOG_GROWTH_SECONDS = 0.5
"""If the backlog at the end exceeds that in the middle by more than arrives in this time, it has grown."""


@dataclass(frozen=True, slots=True)
class SustainedRate:
    events_per_second: float
    """The rate of events that were both acknowledged and stored."""
    notes: tuple[str, ...]


def measure(lab: BenchServers, plan: BenchmarkScale) -> ResultTable:
    """Measure the rates in alternating runs. The time of a run ends when all of its acknowledged events are stored."""
    ours, flask, jobs = list[SustainedRate](), list[SustainedRate](), list[SustainedRate]()
    for turn in range(max(1, plan.round_count - 1)):
        ours.append(
            _measure_ours(lab, plan, LONG_RUN_SECONDS if turn == 0 and plan.round_count > 1 else plan.run_seconds * 2)
        )
        flask.append(_measure_flask(lab, plan))
        jobs.append(_measure_job_per_event(lab, plan))
    mine = _rates(ours)
    return ResultTable(
        f"acknowledged and stored, {CONNECTIONS} connections, {WORKERS} workers, appendfsync always",
        (
            ResultRow(
                "sustained",
                "/s",
                mine,
                "guide's Flask receiver",
                _rates(flask),
                Target("at least", 25),
                "Both cores are used up, docs/performance.md explains: seven rows are kept of an event, not two.",
            ),
            ResultRow("sustained", "/s", mine, "a job per event", _rates(jobs), Target("at least", 40)),
        ),
        (*ours[0].notes, *flask[0].notes, *jobs[0].notes),
    )


def _rates(runs: list[SustainedRate]) -> Samples:
    return Samples(tuple(run.events_per_second for run in runs))


def _measure_ours(lab: BenchServers, plan: BenchmarkScale, seconds: float) -> SustainedRate:
    """Start at the rate of a burst, and lower it until the backlog grows neither in a short nor in a long run."""
    burst = _burst_rate(lab, plan)
    rate = burst * INITIAL_RATE_FACTOR
    note = ""
    for length in (plan.run_seconds * 1.5, seconds):
        for _ in range(MAX_ATTEMPTS):
            grown, note = _run_at_rate(lab, rate, length)
            if not grown:
                break
            rate *= RATE_REDUCTION
        else:
            raise BrokenPromiseError(f"The backlog grew even at {rate:,.0f}/s.")
    return SustainedRate(rate, (f"A burst was stored at {burst:,.0f}/s.", note))


@contextlib.contextmanager
def _start_workers(lab: BenchServers, database_url: str) -> Generator[list[StartedProcess]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(lab.start_module("worker", database_url)) for _ in range(WORKERS)]


def _burst_rate(lab: BenchServers, plan: BenchmarkScale) -> float:
    with (
        lab.redis() as client,
        lab.database() as database_url,
        lab.start_module("ingest") as ingest,
        _start_workers(lab, database_url),
    ):
        outcome = (
            LoadSpec(ingest.port, CONNECTIONS, count=int(2000 * plan.run_seconds)).run().require_all_acknowledged()
        )
        ended = stream_backlog.wait_until_empty(client, 120)
        verification.verify_all_stored(database_url, outcome.acknowledged)
    return outcome.acknowledged / (ended - outcome.started_at)


def _run_at_rate(lab: BenchServers, rate: float, seconds: float) -> tuple[bool, str]:
    """Return whether the backlog grew at this rate, and a sentence about the run."""
    with (
        lab.redis() as client,
        lab.database() as database_url,
        lab.start_module("ingest") as ingest,
        _start_workers(lab, database_url) as workers,
    ):
        used = lab.server_cpu_seconds()
        running = LoadSpec(ingest.port, CONNECTIONS, rate=rate, seconds=seconds).start()
        behind: list[int] = []
        while running.is_running:
            behind.append(stream_backlog.measure(client).events)
            time.sleep(0.2)
        outcome = running.wait().require_all_acknowledged()
        shares = {name: seconds - used[name] for name, seconds in lab.server_cpu_seconds().items()}
        shares |= {
            "ingest": process_usage.cpu_seconds(ingest.pid),
            "workers": sum(process_usage.cpu_seconds(worker.pid) for worker in workers),
        }
        stream_backlog.wait_until_empty(client, 120)
        checked = verification.verify_all_stored(database_url, outcome.acknowledged)
    loaded = behind[: max(1, len(behind) - 3)]
    middle = sum(loaded[len(loaded) // 3 : len(loaded) * 2 // 3]) / max(1, len(loaded) // 3)
    end = sum(loaded[-len(loaded) // 3 :]) / max(1, len(loaded) // 3)
    cpu_shares = ", ".join(f"{name} {spent / outcome.seconds:.0%}" for name, spent in shares.items())
    return end > middle + rate * BACKLOG_GROWTH_SECONDS, (
        f"{seconds:.0f} s at {rate:,.0f}/s: {checked}; answers p50 {outcome.latency_ms['p50']:.1f} ms, "
        f"p99 {outcome.latency_ms['p99']:.1f} ms from when each was due; at most {max(behind):,} waited; "
        f"of a core: {cpu_shares}."
    )


def _measure_flask(lab: BenchServers, plan: BenchmarkScale) -> SustainedRate:
    with lab.database("guide", migrated=False) as database_url:
        guide.create_tables(database_url)
        port = lab.free_port()
        arguments = ["-m", "gunicorn", "--workers", "2", "--threads", "8", "--bind", f"{HOST}:{port}"]
        arguments += ["--log-level", "error", "dev.bench.references.flask_receiver:create_app()"]
        with lab.start_python(arguments, port, {"DATABASE_URL": database_url}, f"http://{HOST}:{port}{PATH}") as server:
            used, before = process_usage.cpu_seconds(server.pid), lab.server_cpu_seconds()["postgres"]
            outcome = LoadSpec(port, CONNECTIONS, seconds=plan.run_seconds * 2).run().require_all_acknowledged()
            spent = process_usage.cpu_seconds(server.pid) - used
            database = lab.server_cpu_seconds()["postgres"] - before
        stored = guide.count_messages(database_url)
    note = (
        f"The guide's Flask receiver stored {stored:,} of {outcome.acknowledged:,} acknowledged; it used "
        f"{spent / outcome.seconds:.0%} of a core and PostgreSQL {database / outcome.seconds:.0%}, "
        f"the generator {outcome.cpu_seconds / outcome.seconds:.0%}: it was not starved."
    )
    return SustainedRate(stored / outcome.seconds, (note,))


def _measure_job_per_event(lab: BenchServers, plan: BenchmarkScale) -> SustainedRate:
    """Measure from the first request until the last of some hundreds of jobs is done."""
    with lab.redis(), lab.database("guide", migrated=False) as database_url:
        guide.create_tables(database_url)
        port = lab.free_port()
        environment = {"PORT": str(port), "REDIS_URL": lab.valkey.url, "DATABASE_URL": database_url}
        url = f"http://{HOST}:{port}{PATH}"
        with (
            lab.start_python(["-m", "dev.bench.references.rq_endpoint"], port, environment, url),
            lab.start_python(["-m", "dev.bench.references.rq_worker"], port, environment, None) as working,
        ):
            outcome = LoadSpec(port, CONNECTIONS, count=int(50 * plan.run_seconds)).run().require_all_acknowledged()
            while (
                stored := guide.count_messages(database_url)
            ) < outcome.acknowledged and time.time() < outcome.started_at + 120:
                time.sleep(0.05)
            seconds = time.time() - outcome.started_at
            spent = process_usage.cpu_seconds(working.pid)
    note = (
        f"A job per event stored {stored:,} of {outcome.acknowledged:,} in {seconds:.1f} s, "
        f"with {spent:.1f} s of processor."
    )
    return SustainedRate(stored / seconds, (note,))
