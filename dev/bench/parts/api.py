"""Measures the calls of a dashboard on a large history, in comparison with their SQL alone and with a small history."""

import contextlib
import random
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg

from dev.bench import api_calls
from dev.bench.api_calls import ApiCall, CallFactory
from dev.bench.http_client import HttpConnection
from dev.bench.results import ResultRow, ResultTable, Samples, Target, quantile
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import BenchServers
from dev.generator import generate
from store.postgres import connections, pool
from store.postgres.connections import Connection

SMALL_HISTORY_MESSAGES = 100_000
MESSAGES_PER_CHAT = 100
WARMUP_CALLS, MEASURED_CALLS = 20, 200
ROUNDS = 5
FREQUENT_CALLS = frozenset({"chats", "messages", "messages before", "messages around", "changes"})


@dataclass(slots=True)
class _FetchedRows:
    """The rows that a statement returned."""

    rows: list[tuple[Any, ...]]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self.rows[0] if self.rows else None


@dataclass(slots=True)
class _TimedConnection:
    """Wraps a connection and records how long psycopg took to execute and fetch."""

    connection: Connection
    seconds: float = 0.0

    def execute(self, query: Any, parameters: Any = None, **how: Any) -> _FetchedRows:  # noqa: ANN401 - psycopg's own
        begun = time.perf_counter()
        cursor = self.connection.execute(query, parameters, **how)
        rows = cursor.fetchall() if cursor.description else []
        self.seconds += time.perf_counter() - begun
        return _FetchedRows(rows)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - psycopg's own
        return getattr(self.connection, name)


@dataclass(slots=True)
class _MeasuredHistory:
    """A history with an API and a connection."""

    http: HttpConnection
    connection: Connection
    call_factories: dict[str, CallFactory]
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    def measure(self, name: str, *, bare_first: bool) -> tuple[float, float]:
        """Return the duration of a call of the API and of its SQL alone, in seconds."""
        call = self.call_factories[name](self.rng)
        if bare_first:
            bare = self._measure_sql(call)
            return self.http.get(call.path)[0], bare
        return self.http.get(call.path)[0], self._measure_sql(call)

    def _measure_sql(self, call: ApiCall) -> float:
        bare = _TimedConnection(self.connection)
        call.query(cast("Connection", bare))
        return bare.seconds


@dataclass(frozen=True, slots=True)
class Timings:
    """The durations of a call in each round, in seconds, sorted."""

    api_seconds: Sequence[list[float]]
    sql_seconds: Sequence[list[float]]


def run(lab: BenchServers, plan: BenchmarkScale) -> list[ResultTable]:
    """Measure on a small history and on a large one, which has at least three times as many messages."""
    size = (
        10_000_000
        if plan.full
        else max(plan.message_count, 3 * SMALL_HISTORY_MESSAGES)
        if plan.message_count >= SMALL_HISTORY_MESSAGES
        else plan.message_count
    )
    small = min(SMALL_HISTORY_MESSAGES, max(1_000, size // 3))
    with (
        _generated_history(lab, "bench_small", small) as small_url,
        _generated_history(lab, "bench_large", size) as large_url,
        lab.start_module("api", small_url) as small_api,
        lab.start_module("api", large_url) as large_api,
    ):
        calls = MEASURED_CALLS if plan.message_count >= SMALL_HISTORY_MESSAGES else 20
        return [compare((small_url, small_api.port, small), (large_url, large_api.port, size), calls)]


def compare(small: tuple[str, int, int], large: tuple[str, int, int], call_count: int) -> ResultTable:
    """Compare the calls on a small and on a large history, each given as database URL, port of the API and size."""
    with _open_history(*small[:2]) as small_history, _open_history(*large[:2]) as large_history:
        timed = {
            name: _measure_both(name, small_history, large_history, call_count) for name in large_history.call_factories
        }
    rows: list[ResultRow] = []
    for name, (on_small, on_large) in timed.items():
        is_frequent = name in FREQUENT_CALLS
        medians, sql_medians = _samples(on_large.api_seconds, 0.5), _samples(on_large.sql_seconds, 0.5)
        rows += [
            ResultRow(name, "ms", medians, "bare SQL", sql_medians, Target("at most", 3) if is_frequent else None),
            ResultRow("  p99", "ms", _samples(on_large.api_seconds, 0.99), target=_target(name)),
            ResultRow(
                f"  of {large[2]:,}", "ms", medians, f"of {small[2]:,}", _samples(on_small.api_seconds, 0.5),
                Target("at most", 1.5) if is_frequent else None,
            ),
        ]  # fmt: skip
    turns = (
        f"{ROUNDS} rounds of {call_count} calls each, after {WARMUP_CALLS} more; "
        "psycopg asks the same SQL from the same process, "
    )
    places = (
        f"Messages are those of the {api_calls.RECENT_CHATS} chats that were active last, in memory after one round; "
    )
    notes = (
        turns + "every other time first.",
        places + "those of any chat are read from disk, a page for each message, and have no target.",
    )
    return ResultTable(
        f"the API on {large[2]:,} messages in {large[2] // MESSAGES_PER_CHAT:,} chats", tuple(rows), notes
    )


def _measure_both(name: str, small: _MeasuredHistory, large: _MeasuredHistory, calls: int) -> tuple[Timings, Timings]:
    for number in range(WARMUP_CALLS):
        for side in (small, large):
            side.measure(name, bare_first=number % 2 == 0)
    found = tuple(Timings([[] for _ in range(ROUNDS)], [[] for _ in range(ROUNDS)]) for _ in range(2))
    for turn in range(ROUNDS):
        for number in range(calls):
            for side, timed in zip((small, large), found, strict=True):
                ours, bare = side.measure(name, bare_first=number % 2 == 0)
                timed.api_seconds[turn].append(ours)
                timed.sql_seconds[turn].append(bare)
    return found[0], found[1]


def _target(name: str) -> Target | None:
    return Target("at most", 300) if name.startswith("search") else None


def _samples(rounds: Sequence[list[float]], share: float) -> Samples:
    return Samples(tuple(1000 * quantile(sorted(seconds), share) for seconds in rounds))


@contextlib.contextmanager
def _generated_history(lab: BenchServers, name: str, messages: int) -> Generator[str]:
    with lab.database(name) as url:
        generate.generate(url, messages, max(20, messages // MESSAGES_PER_CHAT))
        yield url


@contextlib.contextmanager
def _open_history(database_url: str, port: int) -> Generator[_MeasuredHistory]:
    options = connections.startup_options(read_only=True, overrides=pool.READ_SETTINGS)
    with (
        psycopg.connect(database_url, autocommit=True, options=options) as connection,
        contextlib.closing(HttpConnection(port)) as asking,
    ):
        yield _MeasuredHistory(asking, connection, dict(api_calls.factories(connection)))
