"""What ingest acknowledges: alone against a bare endpoint, and with everything behind it against the alternatives."""

from collections.abc import Callable, Sequence

from dev.bench import stream_backlog, sustained
from dev.bench.errors import WrongError
from dev.bench.load import Load, Outcome
from dev.bench.results import Row, Samples, Table, Target
from dev.bench.scale import Plan
from dev.bench.testbed import HOST, Lab

MANY, FEW = 64, 8


def run(lab: Lab, plan: Plan) -> list[Table]:
    return [*_alone(lab, plan), sustained.table(lab, plan)]


def acknowledged(lab: Lab, connections: int, seconds: float, fsync: str) -> Outcome:
    """Ingest without anybody who drains; everything that it acknowledged is in the stream, or WrongError is raised."""
    with lab.redis(appendfsync=fsync) as client, lab.ours("ingest") as ingest:
        outcome = Load(ingest.port, connections, seconds=seconds).put().clean()
        waiting = stream_backlog.count(client)
    if waiting.events != outcome.acknowledged:
        raise WrongError(f"{outcome.acknowledged} events were acknowledged, and {waiting.events} are in the stream.")
    return outcome


def bare(lab: Lab, connections: int, seconds: float) -> Outcome:
    """The ceiling of the framework."""
    port = lab.free_port()
    environment = {"PORT": str(port)}
    with lab.theirs(
        ["-m", "dev.bench.references.bare_starlette"], port, environment, f"http://{HOST}:{port}/whatsapp-webhook"
    ):
        return Load(port, connections, seconds=seconds).put().clean()


def _alone(lab: Lab, plan: Plan) -> list[Table]:
    def ours(connections: int, fsync: str) -> Callable[[], Outcome]:
        return lambda: acknowledged(lab, connections, plan.seconds, fsync)

    def ceiling(connections: int) -> Callable[[], Outcome]:
        return lambda: bare(lab, connections, plan.seconds)

    everysec, always, most = alternate(plan, [ours(MANY, "everysec"), ours(MANY, "always"), ceiling(MANY)])
    few, few_bare = alternate(plan, [ours(FEW, "everysec"), ceiling(FEW)])
    share = max(outcome.cpu_seconds / outcome.seconds for outcome in (*everysec, *most))
    kept = sum(run.acknowledged for run in (*everysec, *always, *few))
    notes = (
        f"Each of {kept:,} acknowledged events was in the stream.",
        f"The generator used at most {share:.0%} of a core{', so it is not the limit' if share < 0.9 else ''}.",
    )
    throughput = Table(
        f"ingest alone, {MANY} connections: signature checked, entry confirmed by Redis",
        (
            Row("acknowledged", "/s", rates(everysec), "bare Starlette", rates(most), Target("at least", 0.8)),
            Row("with appendfsync always", "/s", rates(always), "everysec", rates(everysec), Target("at least", 0.7)),
        ),
        notes,
    )
    latency = Table(
        f"ingest alone, {FEW} connections, as fast as it goes (corrected for coordinated omission)",
        tuple(
            Row(name, "ms", late(few, name), "bare Starlette", late(few_bare, name), Target("at most", limit))
            for name, limit in (("p50", 2.5), ("p99", 3.0))
        ),
    )
    return [throughput, latency]


def alternate(plan: Plan, runs: Sequence[Callable[[], Outcome]]) -> list[list[Outcome]]:
    """The outcomes of each run; they take turns and begin in turn, so that all have the same weather."""
    outcomes: list[list[Outcome]] = [[] for _ in runs]
    for turn in range(plan.rounds):
        for place in range(len(runs)):
            chosen = (turn + place) % len(runs)
            outcomes[chosen].append(runs[chosen]())
    return outcomes


def rates(outcomes: Sequence[Outcome]) -> Samples:
    return Samples(tuple(outcome.rate for outcome in outcomes))


def late(outcomes: Sequence[Outcome], name: str) -> Samples:
    return Samples(tuple(outcome.milliseconds[name] for outcome in outcomes))
