"""How fast a backlog of events that came one by one is stored, against COPY, and what a message takes on disk."""

import contextlib
import time
from dataclasses import dataclass

import psycopg

from dev.bench import process_usage, stream_backlog, verification
from dev.bench.references import copy_rows, guide
from dev.bench.results import Row, Samples, Table, Target
from dev.bench.sample_webhooks import Crowd
from dev.bench.scale import Plan
from dev.bench.testbed import Lab

SIZES = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'r'
"""


@dataclass(frozen=True, slots=True)
class Drained:
    rate: float
    bytes_per_message: float
    log_per_message: float
    """Bytes of write-ahead log: what a disk, a replica and an archive have to take."""
    note: str


def run(lab: Lab, plan: Plan) -> list[Table]:
    one, two = list[Drained](), list[Drained]()
    copied, everything, guides = list[float](), list[float](), list[float]()
    crowd = Crowd()
    parsed, parsed_for_guide = copy_rows.rows(crowd, plan.messages)
    bodies = [crowd.body(number) for number in range(plan.messages)]
    for turn in range(plan.rounds):
        steps = [
            lambda: one.append(drain(lab, plan.messages, workers=1)),
            lambda: copied.append(_copied(lab, parsed)),
            lambda: everything.append(_copied_all(lab, parsed, bodies)),
            lambda: guides.append(_copied_as_guide(lab, parsed_for_guide)),
            lambda: two.append(drain(lab, plan.messages, workers=2)),
        ]
        for place in range(len(steps)):
            steps[(turn + place) % len(steps)]()
    single, double = (Samples(tuple(run.rate for run in runs)) for runs in (one, two))
    together = Samples.of(drain(lab, plan.messages, workers=1, size=16).bytes_per_message)
    stored = Samples(tuple(run.bytes_per_message for run in one))
    return [
        Table(
            f"a backlog of {plan.messages:,} events that came one by one",
            (
                Row(
                    "one worker",
                    "/s",
                    single,
                    "COPY of messages",
                    Samples(tuple(copied)),
                    Target("at least", 0.2),
                    "COPY writes one row of the seven that an event has, and looks nothing up: docs/performance.md.",
                ),
                Row("one worker", "/s", single, "COPY of all their rows", Samples(tuple(everything))),
                Row("one worker", "/s", single, "COPY into the guide's table", Samples(tuple(guides))),
                Row("two workers", "/s", double, "one worker", single, Target("at least", 1.0)),
                Row(
                    "stored, per message of 350 bytes",
                    "bytes",
                    stored,
                    target=Target("at most", 1600),
                    excuse="150 of them are the ledger's row of an entry that holds one event alone.",
                ),
                Row("the same, from entries of 16", "bytes", together, target=Target("at most", 1600)),
                Row("write-ahead log, per message", "bytes", Samples(tuple(run.log_per_message for run in one))),
            ),
            (one[0].note, two[0].note),
        )
    ]


def drain(lab: Lab, count: int, *, workers: int, database_url: str | None = None, size: int = 1) -> Drained:
    """Fill the stream, start the workers, and stop the clock when the last entry is stored."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(lab.redis())
        url = database_url or stack.enter_context(lab.database())
        before, log_before = _size(url), _log(url)
        stream_backlog.fill(client, Crowd(), count, size=size)
        used = lab.servers_cpu()
        started = [stack.enter_context(lab.ours("worker", url)) for _ in range(workers)]
        left = stream_backlog.length(client) * size
        begun = time.time()
        ended = stream_backlog.drained(client, 60 + count / 500)
        spent = {name: seconds - used[name] for name, seconds in lab.servers_cpu().items()}
        spent["workers"] = sum(process_usage.cpu_seconds(worker.pid) for worker in started)
        checked = verification.all_stored(url, count) if database_url is None else "stored"
        grown, logged = _size(url) - before, _log(url) - log_before
    shares = ", ".join(f"{name} {1e6 * seconds / count:.0f}" for name, seconds in spent.items())
    return Drained(
        left / (ended - begun),
        grown / count,
        logged / count,
        f"{workers} worker{'s' if workers > 1 else ''}: {checked}; microseconds of processor per event: {shares}.",
    )


def _copied(lab: Lab, parsed: list[copy_rows.Parsed]) -> float:
    """Rows of messages and nothing else: no raw bodies, no identities, no chats, no feed."""
    with lab.database() as database_url:
        return len(parsed) / copy_rows.seconds(database_url, copy_rows.OURS, parsed)


def _copied_all(lab: Lab, parsed: list[copy_rows.Parsed], bodies: list[bytes]) -> float:
    with lab.database() as database_url:
        return len(parsed) / copy_rows.seconds_of_all(database_url, parsed, bodies)


def _copied_as_guide(lab: Lab, parsed: list[copy_rows.Parsed]) -> float:
    with lab.database("guide", migrated=False) as database_url:
        guide.create(database_url)
        return len(parsed) / copy_rows.seconds(database_url, copy_rows.GUIDES, parsed)


def _size(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(SIZES).fetchone()
    return int(row[0]) if row else 0


def _log(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint").fetchone()
    return int(row[0]) if row else 0
