"""Measures how fast a backlog drains onto a large generated history without raw bodies."""

from dev.bench.parts import drain
from dev.bench.results.results import Limit, ResultRow, ResultTable, Samples
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import BenchServers
from dev.generator import generate

CHATS = 100_000
MAX_GROWTH = 1.3


def run(servers: BenchServers, scale: BenchmarkScale) -> list[ResultTable]:
    sizes = (0, 1_000_000, 10_000_000) if scale.full else (0, scale.message_count * 10)
    rows: list[ResultRow] = []
    costs: list[ResultRow] = []
    fresh: Samples | None = None
    cheap: Samples | None = None
    for size in sizes:
        with servers.database("large") as database_url:
            if size:
                generate.generate(database_url, size, min(CHATS, size // 10))
            count = min(scale.message_count, 50_000)
            found = [
                drain.measure(servers, count, workers=1, database_url=database_url) for _ in range(scale.round_count)
            ]
        rates = Samples(tuple(run.events_per_second for run in found))
        cost = Samples(tuple(sum(run.cpu_microseconds.values()) for run in found))
        fresh, cheap = fresh or rates, cheap or cost
        rows.append(ResultRow(f"onto {size:,} messages", "/s", rates, "onto none", fresh))
        limit = Limit("at most", MAX_GROWTH) if size else None
        costs.append(ResultRow(f"onto {size:,} messages", "µs", cost, "onto none", cheap, limit))
    title = "a backlog drained by one worker, by messages that are stored already"
    return [ResultTable(title, tuple(rows)), ResultTable(f"{title}: processor time of an event", tuple(costs))]
