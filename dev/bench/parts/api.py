"""Measures the calls of a dashboard on a large history, in comparison with their SQL alone and with a small history."""

import contextlib
import http.client
import json
import random
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import cast

import psycopg

from dev.bench import api_calls, process_usage
from dev.bench.api_calls import ApiCall, CallFactory
from dev.bench.http_client import HttpConnection
from dev.bench.results.results import Limit, ResultRow, ResultTable, Samples, quantile
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import API_TOKEN, HOST, BenchServers, StartedProcess
from dev.generator import generate
from store.postgres import connections, pool
from store.postgres.connections import Connection

SMALL_HISTORY_MESSAGES = 100_000
MESSAGES_PER_CHAT = 100
WARMUP_CALLS, MEASURED_CALLS = 20, 200
ROUNDS = 5
FREQUENT_CALLS = frozenset({"chats", "messages", "messages before", "messages around", "changes"})


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
        begun = time.perf_counter()
        call.query(self.connection)
        return time.perf_counter() - begun


@dataclass(frozen=True, slots=True)
class Timings:
    """The durations of a call in each round, in seconds, sorted."""

    api_seconds: Sequence[list[float]]
    sql_seconds: Sequence[list[float]]


def run(servers: BenchServers, scale: BenchmarkScale) -> list[ResultTable]:
    """Measure on a small history and on a large one, which has at least three times as many messages."""
    size = (
        10_000_000
        if scale.full
        else max(scale.message_count, 3 * SMALL_HISTORY_MESSAGES)
        if scale.message_count >= SMALL_HISTORY_MESSAGES
        else scale.message_count
    )
    small = min(SMALL_HISTORY_MESSAGES, max(1_000, size // 3))
    with (
        _generated_history(servers, "bench_small", small) as small_url,
        _generated_history(servers, "bench_large", size) as large_url,
        servers.start_module("api", small_url) as small_api,
        servers.start_module("api", large_url) as large_api,
    ):
        calls = MEASURED_CALLS if scale.message_count >= SMALL_HISTORY_MESSAGES else 20
        compared = compare((small_url, small_api.port, small), (large_url, large_api.port, size), calls)
        return [compared, measure_export(large_url, large_api, scale.round_count)]


def measure_export(database_url: str, api: StartedProcess, round_count: int) -> ResultTable:
    """Measure exports of the largest chat as NDJSON."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            """
            SELECT c.address
            FROM chats AS c
            JOIN whatsapp_messages AS m USING (chat_id)
            WHERE c.chat_id <= 10
            GROUP BY c.address
            ORDER BY count(*) DESC
            LIMIT 1
            """
        ).fetchone()
    address = str(cast("tuple[object]", row)[0])
    count = 0
    rates: list[float] = []
    megabytes: list[float] = []
    for _ in range(round_count):
        before = process_usage.resident_bytes(api.pid)
        count, seconds, most = _measure_one_export(api, address)
        rates.append(count / seconds)
        megabytes.append((most - before) / 1e6)
    rows = (
        ResultRow("rows", "/s", Samples.of(*rates), target=Limit("at least", 40_000)),
        ResultRow("memory of the api, at most", "MB more", Samples.of(*megabytes), target=Limit("at most", 40)),
    )
    return ResultTable(f"an export of {count:,} messages", rows)


def _measure_one_export(api: StartedProcess, address: str) -> tuple[int, float, int]:
    """Export the chat once. Return the number of messages, the seconds, and the most resident bytes of the api."""
    with contextlib.closing(http.client.HTTPConnection(HOST, api.port, timeout=300)) as client:
        begun = time.perf_counter()
        client.request("GET", f"/api/chats/{address}/export", headers={"authorization": f"Bearer {API_TOKEN}"})
        answer = client.getresponse()
        end, most = b"", 0
        while part := answer.read(1 << 18):
            end = (end + part)[-200:]
            most = max(most, process_usage.resident_bytes(api.pid))
        manifest = json.loads(end.splitlines()[-1])["manifest"]
        return int(manifest["count"]), time.perf_counter() - begun, most


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
            ResultRow(name, "ms", medians, "bare SQL", sql_medians, Limit("at most", 1.5) if is_frequent else None),
            ResultRow("  p99", "ms", _samples(on_large.api_seconds, 0.99), target=_target(name)),
            ResultRow(
                f"  of {large[2]:,}", "ms", medians, f"of {small[2]:,}", _samples(on_small.api_seconds, 0.5),
                Limit("at most", 1.5) if is_frequent else None,
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


def _target(name: str) -> Limit | None:
    """Return the target of the p99 in ms."""
    if name in FREQUENT_CALLS:
        return Limit("at most", 15)
    if name.startswith("chats, a misspelt"):
        return Limit("at most", 50)
    return Limit("at most", 60) if name.startswith("search") else None


def _samples(rounds: Sequence[list[float]], share: float) -> Samples:
    return Samples(tuple(1000 * quantile(sorted(seconds), share) for seconds in rounds))


@contextlib.contextmanager
def _generated_history(servers: BenchServers, name: str, messages: int) -> Generator[str]:
    with servers.database(name) as url:
        generate.generate(url, messages, max(20, messages // MESSAGES_PER_CHAT))
        yield url


@contextlib.contextmanager
def _open_history(database_url: str, port: int) -> Generator[_MeasuredHistory]:
    options = connections.build_profile("", read_only=True, overrides=pool.READ_SETTINGS).startup_options()
    with (
        psycopg.connect(database_url, autocommit=True, options=options) as connection,
        contextlib.closing(HttpConnection(port)) as asking,
    ):
        yield _MeasuredHistory(asking, connection, dict(api_calls.factories(connection)))
