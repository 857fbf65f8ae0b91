"""How ingest's figures change with the number of connections."""

from dev.bench.parts import ingest
from dev.bench.results import Row, Table
from dev.bench.scale import Plan
from dev.bench.testbed import Lab

CONNECTIONS = (1, 8, 64, 256)


def run(lab: Lab, plan: Plan) -> list[Table]:
    rates: list[Row] = []
    late: list[Row] = []
    for connections in CONNECTIONS:
        runs = [
            (
                ingest.acknowledged(lab, connections, plan.seconds, "always"),
                ingest.bare(lab, connections, plan.seconds),
            )
            for _ in range(plan.rounds)
        ]
        ours, bare = [mine for mine, _ in runs], [theirs for _, theirs in runs]
        name = f"{connections} connection{'s' if connections > 1 else ''}"
        rates.append(Row(name, "/s", ingest.rates(ours), "bare Starlette", ingest.rates(bare)))
        p50, p99 = ingest.late(ours, "p50"), ingest.late(ours, "p99")
        late += [Row(f"{name}, p50", "ms", p50), Row(f"{name}, p99", "ms", p99)]
    return [
        Table("acknowledged, by connections (appendfsync always)", tuple(rates)),
        Table("milliseconds to an acknowledgement, by connections", tuple(late)),
    ]
