"""`retain`: forget what is older than it is to be kept; without `--yes` only say what that is."""

import argparse
import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TypeVar, cast

from store.commands.command import NOT_EXACT, OK, UNUSABLE, Command
from store.postgres import connections, errors, migrator
from store.postgres.connections import Connection
from store.retention import ages, expired_events
from store.retention import expired_messages as retention_messages
from store.retention.ages import Age, AgeError

EVERY = 5.0
"""Seconds between two lines that say how far it is."""
_BOUNDS = {"statement_timeout": "3600s", "idle_in_transaction_session_timeout": "60s"}
"""What is counted for a dry run is all that is old."""


Step = TypeVar("Step")


@dataclass(frozen=True, slots=True)
class _Wish:
    raw: expired_events.Wish | None
    messages: int | None
    """Messages from before this, in ms."""


def _age(text: str) -> Age:
    try:
        return ages.read(text)
    except AgeError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--raw", type=_age, metavar="AGE", help="keep raw events for so long: 90d, 12w, 18m, 2y")
    parser.add_argument("--messages", type=_age, metavar="AGE", help="keep messages for so long")
    parser.add_argument("--parked", action="store_true", help="with --raw: parked ones, too; none can be replayed then")
    parser.add_argument("--yes", action="store_true", help="do it")
    parser.add_argument("--json", action="store_true", help="for machines")


def _run(chosen: Namespace, environ: Mapping[str, str]) -> int:
    raw, messages = cast("Age | None", chosen.raw), cast("Age | None", chosen.messages)
    if raw is None and messages is None:
        print("retain: say what is to be kept for how long, with --raw, --messages or both", file=sys.stderr)
        return UNUSABLE
    with connections.open(connections.url(environ), "retain", bounds=_BOUNDS) as connection:
        if missing := migrator.missing(connection):
            print(f"retain: the database lacks {', '.join(missing)}: run `python -m store migrate`", file=sys.stderr)
            return UNUSABLE
        now = _now(connection)
        wish = _Wish(
            None if raw is None else expired_events.Wish(_ms(raw.before(now)), chosen.parked),
            None if messages is None else _ms(messages.before(now)),
        )
        if not chosen.yes:
            return _say(connection, wish, as_json=chosen.json)
        try:
            return _do(connection, wish, as_json=chosen.json)
        except KeyboardInterrupt:
            print("retain: interrupted: run it again to go on from here", file=sys.stderr)
            return NOT_EXACT


def _now(connection: Connection) -> datetime:
    with errors.translated():
        row = connection.execute("SELECT now()").fetchone()
    assert row is not None, "a clock has a time"
    return cast("datetime", row[0]).astimezone(UTC)


def _say(connection: Connection, wish: _Wish, *, as_json: bool) -> int:
    with errors.translated(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        raw = None if wish.raw is None else expired_events.look(connection, wish.raw)
        messages = None if wish.messages is None else retention_messages.look(connection, wish.messages)
    if as_json:
        told = {"raw": raw, "messages": messages}
        print(json.dumps({name: None if one is None else asdict(one) for name, one in told.items()}))
        return OK
    if raw is not None and wish.raw is not None:
        print(f"raw bodies received before {_moment(wish.raw.before)}:")
        print(f"{raw.bodies:>12,} bodies of {_size(raw.size)}, the first received {_moment(raw.since)}")
        print(f"{len(raw.partitions):>12,} months go whole: {', '.join(raw.partitions) or 'none'}")
        if raw.parked:
            print(f"{raw.parked:>12,} parked events stay (--parked: they go, and nobody can replay them)")
    if messages is not None and wish.messages is not None:
        print(f"messages from before {_moment(wish.messages)}:")
        print(
            f"{messages.messages:>12,} messages in {messages.chats:,} chats, the first from {_moment(messages.since)}"
        )
        print(f"{messages.marks:>12,} acks, edits, deletes and reactions")
        print(f"{messages.sends:>12,} sends")
    print("nothing was deleted: add --yes")
    return OK


def _do(connection: Connection, wish: _Wish, *, as_json: bool) -> int:
    sums = Counter[str]()
    dropped: list[str] = []
    busy: list[str] = []
    if wish.messages is not None:
        sums.update(messages=0, marks=0, sends=0)
        for gone in _told(retention_messages.retire(connection, wish.messages), "messages", sums):
            sums.update(asdict(gone))
    if wish.raw is not None:
        sums.update(bodies=0, bytes=0)
        for part in _told(expired_events.prune(connection, wish.raw), "bodies", sums):
            sums.update(bodies=part.bodies, bytes=part.size)
            dropped += [part.dropped] if part.dropped else []
            busy += [part.busy] if part.busy else []
    done: dict[str, object] = {**sums, **({} if wish.raw is None else {"dropped": dropped, "busy": busy})}
    if as_json:
        print(json.dumps(done))
    else:
        print("\n".join(f"{name:>10} {_shown(value)}" for name, value in done.items() if value != []))
    if busy:
        said = f"{', '.join(busy)} was read by others all the time (a dump?)"
        print(f"retain: {said}: it was emptied, and is dropped by the next run", file=sys.stderr)
        return NOT_EXACT
    return OK


def _told(steps: Iterator[Step], name: str, sums: Counter[str]) -> Iterator[Step]:
    """The steps, saying how far they are from time to time."""
    told = time.monotonic()
    for step in steps:
        yield step
        if time.monotonic() - told >= EVERY:
            told = time.monotonic()
            print(f"retain: {sums[name]:,} {name} are deleted", file=sys.stderr)


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ", ".join(cast("list[str]", value))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(ms: int | None) -> str:
    return "never" if ms is None else f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


COMMAND = Command("retain", "forget what is older than it is to be kept", _run, _arguments)
