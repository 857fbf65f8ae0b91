"""What the calls of dashboards take on a large history, against their bare SQL and against a small history."""

import contextlib
import http.client
import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg

from api import resume
from dev import generator
from dev.bench.failure import WrongError
from dev.bench.figures import Row, Samples, Table, Target, quantile
from dev.bench.lab import HOST, TOKEN, Lab
from dev.bench.plan import Plan
from store import connect, contacts, conversations, feed, pool, search
from store.connect import Connection
from store.places import Place

SMALL = 100_000
PER_CHAT = 100
WARM, ASKED = 20, 200
HOT = frozenset({"chats", "messages", "messages before", "messages around", "changes"})
BIG_CHATS = 10


@dataclass(frozen=True, slots=True)
class Call:
    """A path to ask, and what the store asks PostgreSQL for it."""

    path: str
    question: Callable[[Connection], object]


@dataclass(slots=True)
class _Recorder:
    """Stands where a connection would, and keeps what it is asked."""

    connection: Connection
    asked: list[tuple[Any, Any, Any]] = field(default_factory=list[tuple[Any, Any, Any]])

    def execute(self, query: Any, parameters: Any = None, **how: Any) -> Any:  # noqa: ANN401 - psycopg's own
        self.asked.append((query, parameters, how))
        return self.connection.execute(query, parameters, **how)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - psycopg's own
        return getattr(self.connection, name)


@dataclass(frozen=True, slots=True)
class Timed:
    ours: list[float]
    """Seconds."""
    bare: list[float]


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
        slight, large = _measured(small_url, small_api.port, asked), _measured(large_url, large_api.port, asked)
    rows: list[Row] = []
    for name, timed in large.items():
        half = Samples.of(_ms(timed.ours, 0.5))
        hot = name in HOT
        rows += [
            Row(name, "ms", half, "bare SQL", Samples.of(_ms(timed.bare, 0.5)), Target("at most", 3) if hot else None),
            Row("  p99", "ms", Samples.of(_ms(timed.ours, 0.99)), target=_limit(name)),
            Row(
                f"  of {size:,}", "ms", half, f"of {small:,}", Samples.of(_ms(slight[name].ours, 0.5)),
                Target("at most", 1.5) if hot else None,
            ),
        ]  # fmt: skip
    note = f"{asked} times each, alternating with psycopg asking the same SQL; the API in a process of its own."
    return [Table(f"the API on {size:,} messages in {size // PER_CHAT:,} chats", tuple(rows), (note,))]


def _limit(name: str) -> Target | None:
    return Target("at most", 300) if name.startswith("search") else None


def _ms(seconds: list[float], share: float) -> float:
    return 1000 * quantile(sorted(seconds), share)


@contextlib.contextmanager
def _history(lab: Lab, name: str, messages: int) -> Generator[str]:
    with lab.database(name) as url:
        generator.generate(url, messages, max(20, messages // PER_CHAT))
        yield url


def _measured(database_url: str, port: int, asked: int) -> dict[str, Timed]:
    found: dict[str, Timed] = {}
    asking = http.client.HTTPConnection(HOST, port, timeout=60)
    options = connect.options(read_only=True, bounds=pool.READING)
    with psycopg.connect(database_url, autocommit=True, options=options) as connection:
        chance = random.Random(1)
        for name, make in _calls(connection).items():
            timed = Timed([], [])
            for number in range(WARM + asked):
                call = make(chance)
                begun = time.perf_counter()
                _ask(asking, call.path)
                answered = time.perf_counter()
                recorder = _Recorder(connection)
                call.question(cast("Connection", recorder))
                repeated = time.perf_counter()
                for query, parameters, how in recorder.asked:
                    _repeat(connection, query, parameters, how)
                ended = time.perf_counter()
                if number >= WARM:
                    timed.ours.append(answered - begun)
                    timed.bare.append(ended - repeated)
            found[name] = timed
    return found


def _repeat(connection: Connection, query: Any, parameters: Any, how: Any) -> None:  # noqa: ANN401 - psycopg's own
    cursor = connection.execute(query, parameters, **how)
    if cursor.description:
        cursor.fetchall()


def _ask(asking: http.client.HTTPConnection, path: str) -> Any:  # noqa: ANN401 - JSON
    asking.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    answer = asking.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise WrongError(f"{path} was answered with {answer.status}: {body[:200]!r}")
    return body


def _calls(connection: Connection) -> dict[str, Callable[[random.Random], Call]]:
    """Each call with places of its own, so that nothing is only fast because it was just asked."""
    addresses = [str(address) for (address,) in connection.execute("SELECT address FROM chats ORDER BY chat_id")]
    row = connection.execute("SELECT max(id) FROM whatsapp_messages").fetchone()
    last = int(str(row[0])) if row else 0
    place = connection.execute(
        "SELECT xid::text::bigint, change_id FROM changes ORDER BY xid DESC, change_id DESC LIMIT 1 OFFSET 200"
    ).fetchone()
    assert place is not None, "the generator left a feed"
    changes_from = feed.Place(*cast("tuple[int, int]", place))

    def big(chance: random.Random) -> str:
        return addresses[chance.randrange(min(BIG_CHATS, len(addresses)))]

    def wanted(address: str) -> conversations.Wanted:
        return conversations.Wanted(Place(address, None), 50)

    def somewhere(chance: random.Random) -> tuple[str, str, conversations.Position]:
        """A chat, and a message in it."""
        found = connection.execute(
            """
            SELECT c.address, m.message_id, m.timestamp, m.arrived, m.id
            FROM whatsapp_messages AS m JOIN chats AS c USING (chat_id)
            WHERE m.id >= %s ORDER BY m.id LIMIT 1
            """,
            [chance.randint(1, last)],
        ).fetchone()
        assert found is not None
        address, message_id, timestamp, arrived, number = cast("tuple[str, str, int, int, int]", found)
        return address, message_id, conversations.Position(timestamp, arrived, message_id, number)

    def plain(address: str) -> Call:
        return Call(f"/api/chats/{address}", lambda c: conversations.newest(c, wanted(address)))

    def before(chance: random.Random) -> Call:
        address, _, position = somewhere(chance)
        return Call(f"/api/chats/{address}?until={position.timestamp}", lambda c: conversations.newest(
            c, conversations.Wanted(Place(address, None), 50, until=position.timestamp)))  # fmt: skip

    def around(chance: random.Random) -> Call:
        address, message_id, position = somewhere(chance)

        def question(connection: Connection) -> object:
            conversations.find(connection, Place(address, None), message_id)
            return conversations.around(connection, wanted(address), position)

        return Call(f"/api/chats/{address}?around={message_id}", question)

    def searching(text: str, **narrow: Any) -> Call:  # noqa: ANN401 - of a search
        def question(connection: Connection) -> object:
            return search.find(connection, search.Wanted(search.words_of(connection, text), 20, **narrow), None)

        more = f"&address={narrow['address']}" if "address" in narrow else ""
        return Call(f"/api/search?q={text.replace(' ', '%20')}{more}", question)

    since = _cursor(connection, changes_from)
    return {
        "chats": lambda _: Call("/api/chats", lambda c: contacts.newest(c, contacts.Filter(), 100)),
        "chats unread": lambda _: Call(
            "/api/chats?unread=true", lambda c: contacts.newest(c, contacts.Filter(unread=True), 100)
        ),
        "chats named": lambda chance: _named(f"Meera {chance.randrange(len(addresses))}"),
        "messages": lambda chance: plain(chance.choice(addresses)),
        "messages, large chat": lambda chance: plain(big(chance)),
        "messages before": before,
        "messages around": around,
        "changes": lambda _: Call(f"/api/changes?since={since}", lambda c: feed.read(c, changes_from, 100)),
        "search, a number": lambda chance: searching(f"{chance.randint(last // 2, last):06d}"),
        "search, a chat": lambda chance: searching("invoice", address=big(chance)),
    }


def _named(q: str) -> Call:
    return Call(f"/api/chats?q={q.replace(' ', '%20')}", lambda c: contacts.newest(c, contacts.Filter(q=q), 100))


def _cursor(connection: Connection, place: feed.Place) -> str:
    """As the API seals it."""
    return resume.seal(feed.now(connection)[0], place)
