"""Measures how fast a backlog of single events is stored in comparison with COPY, and the disk space per message."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from dev.bench import stream_backlog, verification
from dev.bench.load.sample_webhooks import SampleSenders
from dev.bench.references import copy_rows, guide
from dev.bench.results.results import Limit, ResultRow, ResultTable, Samples
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import BenchServers

TABLE_BYTES = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'r'
"""


MISS_REASON = "It looks up and merges what COPY only writes, and parses: docs/performance.md."


@dataclass(frozen=True, slots=True)
class DrainResult:
    events_per_second: float
    cpu_microseconds: Mapping[str, float]
    """The CPU time per event of the workers and of each server, in µs."""
    bytes_per_message: float
    wal_bytes_per_message: float
    """The bytes of write-ahead log per message, which disks, replicas and archives must take."""
    note: str


def run(servers: BenchServers, scale: BenchmarkScale) -> list[ResultTable]:
    one, two = list[DrainResult](), list[DrainResult]()
    copied, everything, guides = list[float](), list[float](), list[float]()
    senders = SampleSenders()
    parsed, parsed_for_guide = copy_rows.build_rows(senders, scale.message_count)
    bodies = [senders.body(number) for number in range(scale.message_count)]
    for turn in range(scale.round_count):
        steps = [
            lambda: one.append(measure(servers, scale.message_count, workers=1)),
            lambda: copied.append(_copy_messages_rate(servers, parsed)),
            lambda: everything.append(_copy_all_rows_rate(servers, parsed, bodies)),
            lambda: guides.append(_copy_guide_rate(servers, parsed_for_guide)),
            lambda: two.append(measure(servers, scale.message_count, workers=2)),
        ]
        for place in range(len(steps)):
            steps[(turn + place) % len(steps)]()
    single, double = (Samples(tuple(run.events_per_second for run in runs)) for runs in (one, two))
    together = Samples.of(measure(servers, scale.message_count, workers=1, events_per_entry=16).bytes_per_message)
    stored, all_rows = Samples(tuple(run.bytes_per_message for run in one)), Samples(tuple(everything))
    return [
        ResultTable(
            f"a backlog of {scale.message_count:,} events that came one by one",
            (
                ResultRow(
                    "one worker", "/s", single, "COPY of all their rows", all_rows, Limit("at least", 0.3), MISS_REASON
                ),
                ResultRow(
                    "two workers",
                    "/s",
                    double,
                    "COPY of all their rows",
                    all_rows,
                    Limit("at least", 0.45),
                    MISS_REASON,
                ),
                ResultRow("two workers", "/s", double, "one worker", single, Limit("at least", 1.0)),
                ResultRow("one worker", "/s", single, "COPY of messages", Samples(tuple(copied))),
                ResultRow("one worker", "/s", single, "COPY into the guide's table", Samples(tuple(guides))),
                ResultRow("processor time of the worker", "µs", _costs(one, "workers"), target=Limit("at most", 35)),
                ResultRow("processor time of PostgreSQL", "µs", _costs(one, "postgres"), target=Limit("at most", 35)),
                ResultRow(
                    "stored, per message of 350 bytes",
                    "bytes",
                    stored,
                    target=Limit("at most", 1300),
                    miss_reason="150 of them are the ledger's row of an entry that holds one event alone.",
                ),
                ResultRow("the same, from entries of 16", "bytes", together, target=Limit("at most", 1300)),
                ResultRow(
                    "write-ahead log, per message",
                    "bytes",
                    Samples(tuple(run.wal_bytes_per_message for run in one)),
                    target=Limit("at most", 2000),
                ),
            ),
            (one[0].note, two[0].note),
        )
    ]


def _costs(runs: Sequence[DrainResult], group: str) -> Samples:
    return Samples(tuple(run.cpu_microseconds[group] for run in runs))


def measure(
    servers: BenchServers, count: int, *, workers: int, database_url: str | None = None, events_per_entry: int = 1
) -> DrainResult:
    """Fill the stream, start the workers, and return the result once the last entry is stored."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(servers.redis())
        url = database_url or stack.enter_context(servers.database())
        before, log_before = _database_bytes(url), _wal_bytes(url)
        stream_backlog.fill(client, SampleSenders(), count, events_per_entry=events_per_entry)
        started = [stack.enter_context(servers.start_module("worker", url)) for _ in range(workers)]
        usage = servers.start_usage_meter(workers=started)
        left = max(1, stream_backlog.entry_count(client) * events_per_entry)  # small ones may be stored by now
        begun = time.time()
        ended = stream_backlog.wait_until_empty(client, 60 + count / 500)
        costs = {name: 1e6 * seconds / left for name, seconds in usage.cpu_seconds().items()}
        checked = verification.verify_all_stored(url, count) if database_url is None else "stored"
        grown, logged = _database_bytes(url) - before, _wal_bytes(url) - log_before
    shares = ", ".join(f"{name} {microseconds:.0f}" for name, microseconds in costs.items())
    return DrainResult(
        left / (ended - begun),
        costs,
        grown / count,
        logged / count,
        f"{workers} worker{'s' if workers > 1 else ''}: {checked}; microseconds of processor per event: {shares}.",
    )


def _copy_messages_rate(servers: BenchServers, parsed: list[copy_rows.ParsedRow]) -> float:
    """Return the rate of copying only the rows of messages, without raw bodies, digests, chats and feed."""
    with servers.database() as database_url:
        return len(parsed) / copy_rows.copy_seconds(database_url, copy_rows.COPY_OUR_MESSAGES, parsed)


def _copy_all_rows_rate(servers: BenchServers, parsed: list[copy_rows.ParsedRow], bodies: list[bytes]) -> float:
    with servers.database() as database_url:
        return len(parsed) / copy_rows.copy_all_seconds(database_url, parsed, bodies)


def _copy_guide_rate(servers: BenchServers, parsed: list[copy_rows.ParsedRow]) -> float:
    with servers.database("guide", migrated=False) as database_url:
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
