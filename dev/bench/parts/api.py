"""What the calls of dashboards take on a large history, against their bare SQL and against a small history."""

import contextlib
import random
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg

from dev.bench import api_calls
from dev.bench.api_calls import Call, Making
from dev.bench.http_client import Asking
from dev.bench.results import Row, Samples, Table, Target, quantile
from dev.bench.scale import Plan
from dev.bench.testbed import Lab
from dev.generator import generate
from store.postgres import connections, pool
from store.postgres.connections import Connection

SMALL = 100_000
PER_CHAT = 100
WARM, ASKED = 20, 200
ROUNDS = 5
HOT = frozenset({"chats", "messages", "messages before", "messages around", "changes"})


@dataclass(slots=True)
class _Rows:
    """What a statement returned, fetched already."""

    rows: list[tuple[Any, ...]]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self.rows[0] if self.rows else None


@dataclass(slots=True)
class _Bare:
    """Stands where a connection would, and knows how long psycopg took to ask and fetch."""

    connection: Connection
    seconds: float = 0.0

    def execute(self, query: Any, parameters: Any = None, **how: Any) -> _Rows:  # noqa: ANN401 - psycopg's own
        begun = time.perf_counter()
        cursor = self.connection.execute(query, parameters, **how)
        rows = cursor.fetchall() if cursor.description else []
        self.seconds += time.perf_counter() - begun
        return _Rows(rows)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - psycopg's own
        return getattr(self.connection, name)


@dataclass(slots=True)
class _Side:
    """One history: an API on it, and a bare connection to it."""

    asking: Asking
    connection: Connection
    calls: dict[str, Making]
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def ask(self, name: str, *, bare_first: bool) -> tuple[float, float]:
        """Seconds of the API, and of its SQL alone."""
        call = self.calls[name](self.chance)
        if bare_first:
            bare = self._bare(call)
            return self.asking.get(call.path)[0], bare
        return self.asking.get(call.path)[0], self._bare(call)

    def _bare(self, call: Call) -> float:
        bare = _Bare(self.connection)
        call.question(cast("Connection", bare))
        return bare.seconds


@dataclass(frozen=True, slots=True)
class Timed:
    """Per round: what each of its calls took, in seconds and in order of size."""

    ours: Sequence[list[float]]
    bare: Sequence[list[float]]


def run(lab: Lab, plan: Plan) -> list[Table]:
    """Larger than the small one by at least three, or there would be nothing to compare."""
    size = 10_000_000 if plan.full else max(plan.messages, 3 * SMALL) if plan.messages >= SMALL else plan.messages
    small = min(SMALL, max(1_000, size // 3))
    with (
        _history(lab, "bench_small", small) as small_url,
        _history(lab, "bench_large", size) as large_url,
        lab.ours("api", small_url) as small_api,
        lab.ours("api", large_url) as large_api,
    ):
        asked = ASKED if plan.messages >= SMALL else 20
        return [compare((small_url, small_api.port, small), (large_url, large_api.port, size), asked)]


def compare(small: tuple[str, int, int], large: tuple[str, int, int], asked: int) -> Table:
    """Of a small and of a large history the URL, the port of an API on it, and how many messages it has."""
    with _side(*small[:2]) as slight, _side(*large[:2]) as great:
        timed = {name: _timed(name, slight, great, asked) for name in great.calls}
    rows: list[Row] = []
    for name, (few, many) in timed.items():
        hot = name in HOT
        half = _samples(many.ours, 0.5)
        rows += [
            Row(name, "ms", half, "bare SQL", _samples(many.bare, 0.5), Target("at most", 3) if hot else None),
            Row("  p99", "ms", _samples(many.ours, 0.99), target=_limit(name)),
            Row(
                f"  of {large[2]:,}", "ms", half, f"of {small[2]:,}", _samples(few.ours, 0.5),
                Target("at most", 1.5) if hot else None,
            ),
        ]  # fmt: skip
    turns = (
        f"{ROUNDS} rounds of {asked} calls each, after {WARM} more; psycopg asks the same SQL from the same process, "
    )
    places = (
        f"Messages are those of the {api_calls.OPEN_CHATS} chats that were active last, in memory after one round; "
    )
    notes = (
        turns + "every other time first.",
        places + "those of any chat are read from disk, a page for each message, and have no target.",
    )
    return Table(f"the API on {large[2]:,} messages in {large[2] // PER_CHAT:,} chats", tuple(rows), notes)


def _timed(name: str, slight: _Side, great: _Side, asked: int) -> tuple[Timed, Timed]:
    for number in range(WARM):
        for side in (slight, great):
            side.ask(name, bare_first=number % 2 == 0)
    found = tuple(Timed([[] for _ in range(ROUNDS)], [[] for _ in range(ROUNDS)]) for _ in range(2))
    for turn in range(ROUNDS):
        for number in range(asked):
            for side, timed in zip((slight, great), found, strict=True):
                ours, bare = side.ask(name, bare_first=number % 2 == 0)
                timed.ours[turn].append(ours)
                timed.bare[turn].append(bare)
    return found[0], found[1]


def _limit(name: str) -> Target | None:
    return Target("at most", 300) if name.startswith("search") else None


def _samples(rounds: Sequence[list[float]], share: float) -> Samples:
    return Samples(tuple(1000 * quantile(sorted(seconds), share) for seconds in rounds))


@contextlib.contextmanager
def _history(lab: Lab, name: str, messages: int) -> Generator[str]:
    with lab.database(name) as url:
        generate.generate(url, messages, max(20, messages // PER_CHAT))
        yield url


@contextlib.contextmanager
def _side(database_url: str, port: int) -> Generator[_Side]:
    options = connections.options(read_only=True, bounds=pool.READING)
    with (
        psycopg.connect(database_url, autocommit=True, options=options) as connection,
        contextlib.closing(Asking(port)) as asking,
    ):
        yield _Side(asking, connection, dict(api_calls.of(connection)))
