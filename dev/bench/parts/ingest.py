"""Measures acknowledgements: ingest alone in comparison with a bare endpoint, and the system with the alternatives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dev.bench import process_usage, stream_backlog, sustained
from dev.bench.errors import WrongResultError
from dev.bench.load.load import LoadResult, LoadSpec
from dev.bench.results.results import Limit, ResultRow, ResultTable, Samples
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import HOST, BenchServers, StartedProcess

MANY_CONNECTIONS, FEW_CONNECTIONS = 64, 8


@dataclass(frozen=True, slots=True)
class EndpointRun:
    """A load on one server process."""

    load: LoadResult
    cpu_seconds: float
    """The CPU time of the process under the load, in seconds."""

    @property
    def cpu_microseconds(self) -> float:
        """The CPU time per event, in µs."""
        return 1e6 * self.cpu_seconds / self.load.acknowledged


def run(servers: BenchServers, scale: BenchmarkScale) -> list[ResultTable]:
    return [*_measure_alone(servers, scale), sustained.measure(servers, scale)]


def measure_ingest(servers: BenchServers, connections: int, seconds: float, fsync: str) -> EndpointRun:
    """Measure ingest without a worker. Raises WrongResultError unless all acknowledged events are in the stream."""
    with servers.redis(appendfsync=fsync) as client, servers.start_module("ingest") as ingest:
        measured = _measure_endpoint(ingest, connections, seconds)
        waiting = stream_backlog.measure(client)
    if waiting.events != measured.load.acknowledged:
        raise WrongResultError(
            f"{measured.load.acknowledged} events were acknowledged, and {waiting.events} are in the stream."
        )
    return measured


def measure_bare_starlette(servers: BenchServers, connections: int, seconds: float) -> EndpointRun:
    """Measure the upper limit of the framework."""
    port = servers.free_port()
    url = f"http://{HOST}:{port}/whatsapp-webhook"
    with servers.start_python(["-m", "dev.bench.references.bare_starlette"], port, {"PORT": str(port)}, url) as server:
        return _measure_endpoint(server, connections, seconds)


def _measure_endpoint(server: StartedProcess, connections: int, seconds: float) -> EndpointRun:
    before = process_usage.cpu_seconds(server.pid)
    load = LoadSpec(server.port, connections, seconds=seconds).run().require_all_acknowledged()
    return EndpointRun(load, process_usage.cpu_seconds(server.pid) - before)


def _measure_alone(servers: BenchServers, scale: BenchmarkScale) -> list[ResultTable]:
    def ours(connections: int, fsync: str) -> Callable[[], EndpointRun]:
        return lambda: measure_ingest(servers, connections, scale.run_seconds, fsync)

    def ceiling(connections: int) -> Callable[[], EndpointRun]:
        return lambda: measure_bare_starlette(servers, connections, scale.run_seconds)

    everysec, always, most = run_alternating(
        scale, [ours(MANY_CONNECTIONS, "everysec"), ours(MANY_CONNECTIONS, "always"), ceiling(MANY_CONNECTIONS)]
    )
    few, few_bare = run_alternating(scale, [ours(FEW_CONNECTIONS, "everysec"), ceiling(FEW_CONNECTIONS)])
    share = max(run.load.cpu_seconds / run.load.seconds for run in (*everysec, *most))
    kept = sum(run.load.acknowledged for run in (*everysec, *always, *few))
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
                Limit("at least", 1.0),
            ),
            ResultRow(
                "with appendfsync always",
                "/s",
                rate_samples(always),
                "everysec",
                rate_samples(everysec),
                Limit("at least", 0.7),
            ),
            ResultRow("processor time of an event", "µs", _costs(everysec), "bare Starlette", _costs(most)),
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
                Limit("at most", limit),
            )
            for name, limit in (("p50", 2.5), ("p99", 2.0))
        ),
    )
    return [throughput, latency]


def run_alternating(scale: BenchmarkScale, runs: Sequence[Callable[[], EndpointRun]]) -> list[list[EndpointRun]]:
    """Return the results of each run. The runs alternate, so that all have the same conditions."""
    outcomes: list[list[EndpointRun]] = [[] for _ in runs]
    for turn in range(scale.round_count):
        for place in range(len(runs)):
            chosen = (turn + place) % len(runs)
            outcomes[chosen].append(runs[chosen]())
    return outcomes


def rate_samples(runs: Sequence[EndpointRun]) -> Samples:
    return Samples(tuple(run.load.rate for run in runs))


def latency_samples(runs: Sequence[EndpointRun], percentile: str) -> Samples:
    return Samples(tuple(run.load.latency_ms[percentile] for run in runs))


def _costs(runs: Sequence[EndpointRun]) -> Samples:
    return Samples(tuple(run.cpu_microseconds for run in runs))
