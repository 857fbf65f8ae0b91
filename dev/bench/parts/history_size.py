"""How fast a backlog drains onto a history that is large already: made up, and without raw bodies."""

from dev.bench.parts import drain
from dev.bench.results import Row, Samples, Table
from dev.bench.scale import Plan
from dev.bench.testbed import Lab
from dev.generator import generate

CHATS = 100_000


def run(lab: Lab, plan: Plan) -> list[Table]:
    sizes = (0, 1_000_000, 10_000_000) if plan.full else (0, plan.messages * 10)
    rows: list[Row] = []
    fresh: Samples | None = None
    for size in sizes:
        with lab.database("large") as database_url:
            if size:
                generate.generate(database_url, size, min(CHATS, size // 10))
            count = min(plan.messages, 50_000)
            found = [drain.drain(lab, count, workers=1, database_url=database_url) for _ in range(plan.rounds)]
        rates = Samples(tuple(run.rate for run in found))
        fresh = fresh or rates
        rows.append(Row(f"onto {size:,} messages", "/s", rates, "onto none", fresh))
    return [Table("a backlog drained by one worker, by messages that are stored already", tuple(rows))]
