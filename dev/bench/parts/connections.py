"""Measures ingest with a growing number of connections."""

from dev.bench.parts import ingest
from dev.bench.results.results import ResultRow, ResultTable
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import BenchServers

CONNECTIONS = (1, 8, 64, 256)


def run(servers: BenchServers, scale: BenchmarkScale) -> list[ResultTable]:
    rates: list[ResultRow] = []
    late: list[ResultRow] = []
    for connections in CONNECTIONS:
        runs = [
            (
                ingest.measure_ingest(servers, connections, scale.run_seconds, "always"),
                ingest.measure_bare_starlette(servers, connections, scale.run_seconds),
            )
            for _ in range(scale.round_count)
        ]
        ours, bare = [mine for mine, _ in runs], [theirs for _, theirs in runs]
        name = f"{connections} connection{'s' if connections > 1 else ''}"
        rates.append(ResultRow(name, "/s", ingest.rate_samples(ours), "bare Starlette", ingest.rate_samples(bare)))
        p50, p99 = ingest.latency_samples(ours, "p50"), ingest.latency_samples(ours, "p99")
        late += [ResultRow(f"{name}, p50", "ms", p50), ResultRow(f"{name}, p99", "ms", p99)]
    return [
        ResultTable("acknowledged, by connections (appendfsync always)", tuple(rates)),
        ResultTable("milliseconds to an acknowledgement, by connections", tuple(late)),
    ]
