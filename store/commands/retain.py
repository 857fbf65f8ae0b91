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

from store.commands.command import CANNOT_RUN, INCOMPLETE, OK, Command
from store.postgres import connections, errors, migrator
from store.postgres.connections import Connection
from store.retention import ages, expired_events
from store.retention import expired_messages as retention_messages
from store.retention.ages import Age, AgeError

PROGRESS_SECONDS = 5.0
"""Seconds between two lines that say how far it is."""
_SESSION_SETTINGS = {"statement_timeout": "3600s", "idle_in_transaction_session_timeout": "60s"}
"""What is counted for a dry run is all that is old."""


Step = TypeVar("Step")


@dataclass(frozen=True, slots=True)
class _RetentionRequest:
    raw: expired_events.RetentionPolicy | None
    messages: int | None
    """Messages from before this, in ms."""


def _parse_age(text: str) -> Age:
    try:
        return ages.parse(text)
    except AgeError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--raw", type=_parse_age, metavar="AGE", help="keep raw events for so long: 90d, 12w, 18m, 2y")
    parser.add_argument("--messages", type=_parse_age, metavar="AGE", help="keep messages for so long")
    parser.add_argument("--parked", action="store_true", help="with --raw: parked ones, too; none can be replayed then")
    parser.add_argument("--yes", action="store_true", help="do it")
    parser.add_argument("--json", action="store_true", help="for machines")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    raw, messages = cast("Age | None", options.raw), cast("Age | None", options.messages)
    if raw is None and messages is None:
        print("retain: say what is to be kept for how long, with --raw, --messages or both", file=sys.stderr)
        return CANNOT_RUN
    with connections.open(connections.url(environ), "retain", overrides=_SESSION_SETTINGS) as connection:
        if missing := migrator.missing(connection):
            print(f"retain: the database lacks {', '.join(missing)}: run `python -m store migrate`", file=sys.stderr)
            return CANNOT_RUN
        now = _database_time(connection)
        wish = _RetentionRequest(
            None if raw is None else expired_events.RetentionPolicy(_to_ms(raw.before(now)), options.parked),
            None if messages is None else _to_ms(messages.before(now)),
        )
        if not options.yes:
            return _print_preview(connection, wish, as_json=options.json)
        try:
            return _delete(connection, wish, as_json=options.json)
        except KeyboardInterrupt:
            print("retain: interrupted: run it again to go on from here", file=sys.stderr)
            return INCOMPLETE


def _database_time(connection: Connection) -> datetime:
    with errors.translated():
        row = connection.execute("SELECT now()").fetchone()
    assert row is not None, "a clock has a time"
    return cast("datetime", row[0]).astimezone(UTC)


def _print_preview(connection: Connection, request: _RetentionRequest, *, as_json: bool) -> int:
    with errors.translated(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        raw = None if request.raw is None else expired_events.preview(connection, request.raw)
        messages = None if request.messages is None else retention_messages.preview(connection, request.messages)
    if as_json:
        told = {"raw": raw, "messages": messages}
        print(json.dumps({name: None if one is None else asdict(one) for name, one in told.items()}))
        return OK
    if raw is not None and request.raw is not None:
        print(f"raw bodies received before {_format_time(request.raw.received_before)}:")
        print(
            f"{raw.bodies:>12,} bodies of {_format_megabytes(raw.size)}, the first received {_format_time(raw.since)}"
        )
        print(f"{len(raw.partitions):>12,} months go whole: {', '.join(raw.partitions) or 'none'}")
        if raw.parked:
            print(f"{raw.parked:>12,} parked events stay (--parked: they go, and nobody can replay them)")
    if messages is not None and request.messages is not None:
        print(f"messages from before {_format_time(request.messages)}:")
        since = _format_time(messages.since)
        print(f"{messages.messages:>12,} messages in {messages.chats:,} chats, the first from {since}")
        print(f"{messages.updates:>12,} acks, edits, deletes and reactions")
        print(f"{messages.sends:>12,} sends")
    print("nothing was deleted: add --yes")
    return OK


def _delete(connection: Connection, request: _RetentionRequest, *, as_json: bool) -> int:
    sums = Counter[str]()
    dropped: list[str] = []
    busy: list[str] = []
    if request.messages is not None:
        sums.update(messages=0, updates=0, sends=0)
        for gone in _with_progress(retention_messages.prune(connection, request.messages), "messages", sums):
            sums.update(asdict(gone))
    if request.raw is not None:
        sums.update(bodies=0, bytes=0)
        for part in _with_progress(expired_events.prune(connection, request.raw), "bodies", sums):
            sums.update(bodies=part.bodies, bytes=part.size)
            dropped += [part.dropped_partition] if part.dropped_partition else []
            busy += [part.busy_partition] if part.busy_partition else []
    done: dict[str, object] = {**sums, **({} if request.raw is None else {"dropped": dropped, "busy": busy})}
    if as_json:
        print(json.dumps(done))
    else:
        print("\n".join(f"{name:>10} {_format_value(value)}" for name, value in done.items() if value != []))
    if busy:
        said = f"{', '.join(busy)} was read by others all the time (a dump?)"
        print(f"retain: {said}: it was emptied, and is dropped by the next run", file=sys.stderr)
        return INCOMPLETE
    return OK


def _with_progress(steps: Iterator[Step], name: str, sums: Counter[str]) -> Iterator[Step]:
    """The steps, saying how far they are from time to time."""
    told = time.monotonic()
    for step in steps:
        yield step
        if time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            print(f"retain: {sums[name]:,} {name} are deleted", file=sys.stderr)


def _format_value(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ", ".join(cast("list[str]", value))


def _to_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _format_time(ms: int | None) -> str:
    return "never" if ms is None else f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _format_megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


COMMAND = Command("retain", "forget what is older than it is to be kept", _run, _add_arguments)
