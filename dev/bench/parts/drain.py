"""Measures how fast a backlog of single events is stored in comparison with COPY, and the disk space per message."""

import contextlib
import time
from dataclasses import dataclass

import psycopg

from dev.bench import process_usage, stream_backlog, verification
from dev.bench.references import copy_rows, guide
from dev.bench.results import ResultRow, ResultTable, Samples, Target
from dev.bench.sample_webhooks import Senders
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import BenchServers

TABLE_BYTES = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'r'
"""


@dataclass(frozen=True, slots=True)
class DrainResult:
    events_per_second: float
    bytes_per_message: float
    wal_bytes_per_message: float
    """The bytes of write-ahead log per message, which disks, replicas and archives must take."""
    note: str


def run(lab: BenchServers, plan: BenchmarkScale) -> list[ResultTable]:
    one, two = list[DrainResult](), list[DrainResult]()
    copied, everything, guides = list[float](), list[float](), list[float]()
    crowd = Senders()
    parsed, parsed_for_guide = copy_rows.build_rows(crowd, plan.message_count)
    bodies = [crowd.body(number) for number in range(plan.message_count)]
    for turn in range(plan.round_count):
        steps = [
            lambda: one.append(measure(lab, plan.message_count, workers=1)),
            lambda: copied.append(_copy_messages_rate(lab, parsed)),
            lambda: everything.append(_copy_all_rows_rate(lab, parsed, bodies)),
            lambda: guides.append(_copy_guide_rate(lab, parsed_for_guide)),
            lambda: two.append(measure(lab, plan.message_count, workers=2)),
        ]
        for place in range(len(steps)):
            steps[(turn + place) % len(steps)]()
    single, double = (Samples(tuple(run.events_per_second for run in runs)) for runs in (one, two))
    together = Samples.of(measure(lab, plan.message_count, workers=1, events_per_entry=16).bytes_per_message)
    stored = Samples(tuple(run.bytes_per_message for run in one))
    return [
        ResultTable(
            f"a backlog of {plan.message_count:,} events that came one by one",
            (
                ResultRow(
                    "one worker",
                    "/s",
                    single,
                    "COPY of messages",
                    Samples(tuple(copied)),
                    Target("at least", 0.2),
                    "COPY writes one row of the seven that an event has, and looks nothing up: docs/performance.md.",
                ),
                ResultRow("one worker", "/s", single, "COPY of all their rows", Samples(tuple(everything))),
                ResultRow("one worker", "/s", single, "COPY into the guide's table", Samples(tuple(guides))),
                ResultRow("two workers", "/s", double, "one worker", single, Target("at least", 1.0)),
                ResultRow(
                    "stored, per message of 350 bytes",
                    "bytes",
                    stored,
                    target=Target("at most", 1600),
                    miss_reason="150 of them are the ledger's row of an entry that holds one event alone.",
                ),
                ResultRow("the same, from entries of 16", "bytes", together, target=Target("at most", 1600)),
                ResultRow(
                    "write-ahead log, per message", "bytes", Samples(tuple(run.wal_bytes_per_message for run in one))
                ),
            ),
            (one[0].note, two[0].note),
        )
    ]


def measure(
    lab: BenchServers, count: int, *, workers: int, database_url: str | None = None, events_per_entry: int = 1
) -> DrainResult:
    """Fill the stream, start the workers, and return the result once the last entry is stored."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(lab.redis())
        url = database_url or stack.enter_context(lab.database())
        before, log_before = _database_bytes(url), _wal_bytes(url)
        stream_backlog.fill(client, Senders(), count, events_per_entry=events_per_entry)
        used = lab.server_cpu_seconds()
        started = [stack.enter_context(lab.start_module("worker", url)) for _ in range(workers)]
        left = stream_backlog.entry_count(client) * events_per_entry
        begun = time.time()
        ended = stream_backlog.wait_until_empty(client, 60 + count / 500)
        spent = {name: seconds - used[name] for name, seconds in lab.server_cpu_seconds().items()}
        spent["workers"] = sum(process_usage.cpu_seconds(worker.pid) for worker in started)
        checked = verification.verify_all_stored(url, count) if database_url is None else "stored"
        grown, logged = _database_bytes(url) - before, _wal_bytes(url) - log_before
    shares = ", ".join(f"{name} {1e6 * seconds / count:.0f}" for name, seconds in spent.items())
    return DrainResult(
        left / (ended - begun),
        grown / count,
        logged / count,
        f"{workers} worker{'s' if workers > 1 else ''}: {checked}; microseconds of processor per event: {shares}.",
    )


def _copy_messages_rate(lab: BenchServers, parsed: list[copy_rows.ParsedRow]) -> float:
    """Return the rate of copying only the rows of messages, without raw bodies, digests, chats and feed."""
    with lab.database() as database_url:
        return len(parsed) / copy_rows.copy_seconds(database_url, copy_rows.COPY_OUR_MESSAGES, parsed)


def _copy_all_rows_rate(lab: BenchServers, parsed: list[copy_rows.ParsedRow], bodies: list[bytes]) -> float:
    with lab.database() as database_url:
        return len(parsed) / copy_rows.copy_all_seconds(database_url, parsed, bodies)


def _copy_guide_rate(lab: BenchServers, parsed: list[copy_rows.ParsedRow]) -> float:
    with lab.database("guide", migrated=False) as database_url:
        guide.create_tables(database_url)
        return len(parsed) / copy_rows.copy_seconds(database_url, copy_rows.COPY_GUIDE_MESSAGES, parsed)


def _database_bytes(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(TABLE_BYTES).fetchone()
    return int(row[0]) if row else 0


def _wal_bytes(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint").fetchone()
    return int(row[0]) if row else 0
