"""Acknowledged and stored, for as long as one likes: the whole of ours against the whole of what others would run."""

import contextlib
import time
from collections.abc import Generator
from dataclasses import dataclass

from dev.bench import process_usage, stream_backlog, verification
from dev.bench.errors import WrongError
from dev.bench.load import Load
from dev.bench.references import guide
from dev.bench.results import Row, Samples, Table, Target
from dev.bench.sample_webhooks import PATH
from dev.bench.scale import Plan
from dev.bench.testbed import HOST, Lab, Started

CONNECTIONS = 64
WORKERS = 2
"""As many as there are cores."""
SECONDS = 30.0
LEEWAY = 0.95
"""The rate that is tried first, as a share of what a burst was stored at."""
STEP = 0.85
TRIES = 6
GROWN_SECONDS = 0.5
"""A backlog that is longer at the end than in the middle, by what comes in this time, has grown."""


@dataclass(frozen=True, slots=True)
class Held:
    rate: float
    """Events per second, acknowledged and stored."""
    notes: tuple[str, ...]


def table(lab: Lab, plan: Plan) -> Table:
    """Runs alternate; every acknowledged event of every run is stored when its clock stops."""
    ours, flask, jobs = list[Held](), list[Held](), list[Held]()
    for turn in range(max(1, plan.rounds - 1)):
        ours.append(_ours(lab, plan, SECONDS if turn == 0 and plan.rounds > 1 else plan.seconds * 2))
        flask.append(_flask(lab, plan))
        jobs.append(_job_per_event(lab, plan))
    mine = _rates(ours)
    return Table(
        f"acknowledged and stored, {CONNECTIONS} connections, {WORKERS} workers, appendfsync always",
        (
            Row(
                "sustained",
                "/s",
                mine,
                "guide's Flask receiver",
                _rates(flask),
                Target("at least", 25),
                "Both cores are used up, docs/performance.md tells by what: seven rows are kept of an event, not two.",
            ),
            Row("sustained", "/s", mine, "a job per event", _rates(jobs), Target("at least", 40)),
        ),
        (*ours[0].notes, *flask[0].notes, *jobs[0].notes),
    )


def _rates(runs: list[Held]) -> Samples:
    return Samples(tuple(run.rate for run in runs))


def _ours(lab: Lab, plan: Plan, seconds: float) -> Held:
    """A burst tells what to try; the rate goes down until neither a short nor a long run has a growing backlog."""
    burst = _burst(lab, plan)
    rate = burst * LEEWAY
    note = ""
    for length in (plan.seconds * 1.5, seconds):
        for _ in range(TRIES):
            grown, note = _paced(lab, rate, length)
            if not grown:
                break
            rate *= STEP
        else:
            raise WrongError(f"The backlog grew even at {rate:,.0f}/s.")
    return Held(rate, (f"A burst was stored at {burst:,.0f}/s.", note))


@contextlib.contextmanager
def _workers(lab: Lab, database_url: str) -> Generator[list[Started]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(lab.ours("worker", database_url)) for _ in range(WORKERS)]


def _burst(lab: Lab, plan: Plan) -> float:
    with (
        lab.redis() as client,
        lab.database() as database_url,
        lab.ours("ingest") as ingest,
        _workers(lab, database_url),
    ):
        outcome = Load(ingest.port, CONNECTIONS, count=int(2000 * plan.seconds)).put().clean()
        ended = stream_backlog.drained(client, 120)
        verification.all_stored(database_url, outcome.acknowledged)
    return outcome.acknowledged / (ended - outcome.begun)


def _paced(lab: Lab, rate: float, seconds: float) -> tuple[bool, str]:
    """Whether the backlog grew while events came at this rate, and a sentence about the run."""
    with (
        lab.redis() as client,
        lab.database() as database_url,
        lab.ours("ingest") as ingest,
        _workers(lab, database_url) as workers,
    ):
        used = lab.servers_cpu()
        running = Load(ingest.port, CONNECTIONS, rate=rate, seconds=seconds).begin()
        behind: list[int] = []
        while running.alive:
            behind.append(stream_backlog.count(client).events)
            time.sleep(0.2)
        outcome = running.outcome().clean()
        shares = {name: seconds - used[name] for name, seconds in lab.servers_cpu().items()}
        shares |= {
            "ingest": process_usage.cpu_seconds(ingest.pid),
            "workers": sum(process_usage.cpu_seconds(worker.pid) for worker in workers),
        }
        stream_backlog.drained(client, 120)
        checked = verification.all_stored(database_url, outcome.acknowledged)
    loaded = behind[: max(1, len(behind) - 3)]
    middle = sum(loaded[len(loaded) // 3 : len(loaded) * 2 // 3]) / max(1, len(loaded) // 3)
    end = sum(loaded[-len(loaded) // 3 :]) / max(1, len(loaded) // 3)
    said = ", ".join(f"{name} {spent / outcome.seconds:.0%}" for name, spent in shares.items())
    return end > middle + rate * GROWN_SECONDS, (
        f"{seconds:.0f} s at {rate:,.0f}/s: {checked}; answers p50 {outcome.milliseconds['p50']:.1f} ms, "
        f"p99 {outcome.milliseconds['p99']:.1f} ms from when each was due; at most {max(behind):,} waited; "
        f"of a core: {said}."
    )


def _flask(lab: Lab, plan: Plan) -> Held:
    with lab.database("guide", migrated=False) as database_url:
        guide.create(database_url)
        port = lab.free_port()
        arguments = ["-m", "gunicorn", "--workers", "2", "--threads", "8", "--bind", f"{HOST}:{port}"]
        arguments += ["--log-level", "error", "dev.bench.references.flask_receiver:create_app()"]
        with lab.theirs(arguments, port, {"DATABASE_URL": database_url}, f"http://{HOST}:{port}{PATH}") as server:
            used, before = process_usage.cpu_seconds(server.pid), lab.servers_cpu()["postgres"]
            outcome = Load(port, CONNECTIONS, seconds=plan.seconds * 2).put().clean()
            spent = process_usage.cpu_seconds(server.pid) - used
            database = lab.servers_cpu()["postgres"] - before
        stored = guide.count(database_url)
    note = (
        f"The guide's Flask receiver stored {stored:,} of {outcome.acknowledged:,} acknowledged; it used "
        f"{spent / outcome.seconds:.0%} of a core and PostgreSQL {database / outcome.seconds:.0%}, "
        f"the generator {outcome.cpu_seconds / outcome.seconds:.0%}: it was not starved."
    )
    return Held(stored / outcome.seconds, (note,))


def _job_per_event(lab: Lab, plan: Plan) -> Held:
    """From the first request until the last of some hundreds of jobs is done."""
    with lab.redis(), lab.database("guide", migrated=False) as database_url:
        guide.create(database_url)
        port = lab.free_port()
        environment = {"PORT": str(port), "REDIS_URL": lab.valkey.url, "DATABASE_URL": database_url}
        url = f"http://{HOST}:{port}{PATH}"
        with (
            lab.theirs(["-m", "dev.bench.references.rq_endpoint"], port, environment, url),
            lab.theirs(["-m", "dev.bench.references.rq_worker"], port, environment, None) as working,
        ):
            outcome = Load(port, CONNECTIONS, count=int(50 * plan.seconds)).put().clean()
            while (stored := guide.count(database_url)) < outcome.acknowledged and time.time() < outcome.begun + 120:
                time.sleep(0.05)
            seconds = time.time() - outcome.begun
            spent = process_usage.cpu_seconds(working.pid)
    note = (
        f"A job per event stored {stored:,} of {outcome.acknowledged:,} in {seconds:.1f} s, "
        f"with {spent:.1f} s of processor."
    )
    return Held(stored / seconds, (note,))
