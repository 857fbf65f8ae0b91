"""Measures how fast a backlog drains with more workers."""

from dev.bench.parts import drain
from dev.bench.results.results import ResultRow, ResultTable, Samples
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import BenchServers

WORKERS = (1, 2, 4)


def run(servers: BenchServers, scale: BenchmarkScale) -> list[ResultTable]:
    found: dict[int, list[drain.DrainResult]] = {workers: [] for workers in WORKERS}
    for turn in range(scale.round_count):
        for place in range(len(WORKERS)):
            workers = WORKERS[(turn + place) % len(WORKERS)]
            found[workers].append(drain.measure(servers, scale.message_count, workers=workers))
    single = Samples(tuple(run.events_per_second for run in found[1]))
    rows = tuple(
        ResultRow(
            f"{workers} worker{'s' if workers > 1 else ''}",
            "/s",
            Samples(tuple(r.events_per_second for r in runs)),
            "one",
            single,
        )
        for workers, runs in found.items()
    )
    return [
        ResultTable(
            f"a backlog of {scale.message_count:,} events, by workers", rows, tuple(r[0].note for r in found.values())
        )
    ]
