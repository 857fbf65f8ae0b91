"""How fast a backlog drains with more workers."""

from dev.bench.parts import drain
from dev.bench.results import Row, Samples, Table
from dev.bench.scale import Plan
from dev.bench.testbed import Lab

WORKERS = (1, 2, 4)


def run(lab: Lab, plan: Plan) -> list[Table]:
    found: dict[int, list[drain.Drained]] = {workers: [] for workers in WORKERS}
    for turn in range(plan.rounds):
        for place in range(len(WORKERS)):
            workers = WORKERS[(turn + place) % len(WORKERS)]
            found[workers].append(drain.drain(lab, plan.messages, workers=workers))
    single = Samples(tuple(run.rate for run in found[1]))
    rows = tuple(
        Row(f"{workers} worker{'s' if workers > 1 else ''}", "/s", Samples(tuple(r.rate for r in runs)), "one", single)
        for workers, runs in found.items()
    )
    return [Table(f"a backlog of {plan.messages:,} events, by workers", rows, tuple(r[0].note for r in found.values()))]
