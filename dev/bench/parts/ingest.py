"""Measures acknowledgements: ingest alone in comparison with a bare endpoint, and the system with the alternatives."""

from collections.abc import Callable, Sequence

from dev.bench import stream_backlog, sustained
from dev.bench.errors import BrokenPromiseError
from dev.bench.load import LoadResult, LoadSpec
from dev.bench.results import ResultRow, ResultTable, Samples, Target
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import HOST, BenchServers

MANY_CONNECTIONS, FEW_CONNECTIONS = 64, 8


def run(lab: BenchServers, plan: BenchmarkScale) -> list[ResultTable]:
    return [*_measure_alone(lab, plan), sustained.measure(lab, plan)]


def measure_ingest(lab: BenchServers, connections: int, seconds: float, fsync: str) -> LoadResult:
    """Measure ingest without a worker. Raises BrokenPromiseError unless all acknowledged events are in the stream."""
    with lab.redis(appendfsync=fsync) as client, lab.start_module("ingest") as ingest:
        outcome = LoadSpec(ingest.port, connections, seconds=seconds).run().require_all_acknowledged()
        waiting = stream_backlog.measure(client)
    if waiting.events != outcome.acknowledged:
        raise BrokenPromiseError(
            f"{outcome.acknowledged} events were acknowledged, and {waiting.events} are in the stream."
        )
    return outcome


def measure_bare_starlette(lab: BenchServers, connections: int, seconds: float) -> LoadResult:
    """Measure the upper limit of the framework."""
    port = lab.free_port()
    environment = {"PORT": str(port)}
    with lab.start_python(
        ["-m", "dev.bench.references.bare_starlette"], port, environment, f"http://{HOST}:{port}/whatsapp-webhook"
    ):
        return LoadSpec(port, connections, seconds=seconds).run().require_all_acknowledged()


def _measure_alone(lab: BenchServers, plan: BenchmarkScale) -> list[ResultTable]:
    def ours(connections: int, fsync: str) -> Callable[[], LoadResult]:
        return lambda: measure_ingest(lab, connections, plan.run_seconds, fsync)

    def ceiling(connections: int) -> Callable[[], LoadResult]:
        return lambda: measure_bare_starlette(lab, connections, plan.run_seconds)

    everysec, always, most = run_alternating(
        plan, [ours(MANY_CONNECTIONS, "everysec"), ours(MANY_CONNECTIONS, "always"), ceiling(MANY_CONNECTIONS)]
    )
    few, few_bare = run_alternating(plan, [ours(FEW_CONNECTIONS, "everysec"), ceiling(FEW_CONNECTIONS)])
    share = max(outcome.cpu_seconds / outcome.seconds for outcome in (*everysec, *most))
    kept = sum(run.acknowledged for run in (*everysec, *always, *few))
    notes = (
        f"Each of {kept:,} acknowledged events was in the stream.",
        f"The generator used at most {share:.0%} of a core{', so it is not the limit' if share < 0.9 else ''}.",
    )
    throughput = ResultTable(
        f"ingest alone, {MANY_CONNECTIONS} connections: signature checked, entry confirmed by Redis",
        (
            ResultRow(
                "acknowledged",
                "/s",
                rate_samples(everysec),
                "bare Starlette",
                rate_samples(most),
                Target("at least", 0.8),
            ),
            ResultRow(
                "with appendfsync always",
                "/s",
                rate_samples(always),
                "everysec",
                rate_samples(everysec),
                Target("at least", 0.7),
            ),
        ),
        notes,
    )
    latency = ResultTable(
        f"ingest alone, {FEW_CONNECTIONS} connections, as fast as it goes (corrected for coordinated omission)",
        tuple(
            ResultRow(
                name,
                "ms",
                latency_samples(few, name),
                "bare Starlette",
                latency_samples(few_bare, name),
                Target("at most", limit),
            )
            for name, limit in (("p50", 2.5), ("p99", 3.0))
        ),
    )
    return [throughput, latency]


def run_alternating(plan: BenchmarkScale, runs: Sequence[Callable[[], LoadResult]]) -> list[list[LoadResult]]:
    """Return the results of each run. The runs alternate, so that all have the same conditions."""
    outcomes: list[list[LoadResult]] = [[] for _ in runs]
    for turn in range(plan.round_count):
        for place in range(len(runs)):
            chosen = (turn + place) % len(runs)
            outcomes[chosen].append(runs[chosen]())
    return outcomes


def rate_samples(outcomes: Sequence[LoadResult]) -> Samples:
    return Samples(tuple(outcome.rate for outcome in outcomes))


def latency_samples(outcomes: Sequence[LoadResult], percentile: str) -> Samples:
    return Samples(tuple(outcome.latency_ms[percentile] for outcome in outcomes))
