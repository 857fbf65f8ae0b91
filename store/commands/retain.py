"""`retain`: deletes raw events and messages by age. Without `--yes` it only counts."""

import argparse
import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TypeVar, cast

from store.backup.dump import format_megabytes
from store.commands.command import CANNOT_RUN, INCOMPLETE, OK, Command
from store.postgres import connections, errors, migrator
from store.postgres.connections import Connection
from store.retention import ages, expired_events, expired_messages
from store.retention.ages import Age, AgeError
from store.retention.expired_events import RetentionPolicy

PROGRESS_SECONDS = 5.0
"""The time between two lines of progress, in seconds."""
_SESSION_SETTINGS = {"statement_timeout": "3600s", "idle_in_transaction_session_timeout": "60s"}
"""The timeouts of this command, which are long because it counts everything that has expired."""
Step = TypeVar("Step")


def _parse_age(text: str) -> Age:
    try:
        return ages.parse(text)
    except AgeError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--raw", type=_parse_age, metavar="AGE", help="delete raw events from this age: 90d, 12w, 18m, 2y"
    )
    parser.add_argument("--messages", type=_parse_age, metavar="AGE", help="delete messages from this age")
    parser.add_argument(
        "--parked", action="store_true", help="with --raw: parked events, too; none can be retried then"
    )
    parser.add_argument("--yes", action="store_true", help="delete; without it only count")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    raw, messages = cast("Age | None", options.raw), cast("Age | None", options.messages)
    if raw is None and messages is None:
        print("retain: give an age with --raw, --messages or both", file=sys.stderr)
        return CANNOT_RUN
    with connections.open(connections.url(environ), "retain", overrides=_SESSION_SETTINGS) as connection:
        if missing := migrator.missing(connection):
            print(f"retain: the database lacks {', '.join(missing)}. Run `python -m store migrate`.", file=sys.stderr)
            return CANNOT_RUN
        now = connections.server_time(connection)
        policy = None if raw is None else RetentionPolicy(_to_ms(raw.before(now)), options.parked)
        before = None if messages is None else _to_ms(messages.before(now))
        if not options.yes:
            return _print_preview(connection, policy, before, as_json=options.json)
        try:
            return _delete(connection, policy, before, as_json=options.json)
        except KeyboardInterrupt:
            print("retain: interrupted. Run it again to continue.", file=sys.stderr)
            return INCOMPLETE


def _print_preview(connection: Connection, policy: RetentionPolicy | None, before: int | None, *, as_json: bool) -> int:
    with errors.translated(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        raw = None if policy is None else expired_events.preview(connection, policy)
        messages = None if before is None else expired_messages.preview(connection, before)
    if as_json:
        previews = {"raw": raw, "messages": messages}
        print(json.dumps({name: None if preview is None else asdict(preview) for name, preview in previews.items()}))
        return OK
    if raw is not None and policy is not None:
        print(f"raw bodies received before {_format_time(policy.received_before)}:")
        print(f"{raw.bodies:>12,} bodies of {format_megabytes(raw.size)}, the first received {_format_time(raw.since)}")
        print(f"{len(raw.partitions):>12,} months are dropped: {', '.join(raw.partitions) or 'none'}")
        if raw.parked:
            print(f"{raw.parked:>12,} parked events are kept (--parked deletes them; they can then not be retried)")
    if messages is not None:
        print(f"messages before {_format_time(before)}:")
        since = _format_time(messages.since)
        print(f"{messages.messages:>12,} messages in {messages.chats:,} chats, the first of {since}")
        print(f"{messages.updates:>12,} acknowledgements, edits, deletions and reactions")
        print(f"{messages.sends:>12,} sends")
    print("nothing was deleted: add --yes")
    return OK


def _delete(connection: Connection, policy: RetentionPolicy | None, before: int | None, *, as_json: bool) -> int:
    """Delete raw events according to the policy, and messages before a time in ms."""
    sums = Counter[str]()
    dropped: list[str] = []
    busy: list[str] = []
    if before is not None:
        sums.update(messages=0, updates=0, sends=0)
        for deleted in _with_progress(expired_messages.prune(connection, before), "messages", sums):
            sums.update(asdict(deleted))
    if policy is not None:
        sums.update(bodies=0, bytes=0)
        for part in _with_progress(expired_events.prune(connection, policy), "bodies", sums):
            sums.update(bodies=part.bodies, bytes=part.size)
            dropped += [part.dropped_partition] if part.dropped_partition else []
            busy += [part.busy_partition] if part.busy_partition else []
    done: dict[str, object] = {**sums, **({} if policy is None else {"dropped": dropped, "busy": busy})}
    if as_json:
        print(json.dumps(done))
    else:
        print("\n".join(f"{name:>10} {_format_value(value)}" for name, value in done.items() if value != []))
    if busy:
        partitions = ", ".join(busy)
        print(f"retain: emptied {partitions}; a long read, such as a dump, prevents dropping it", file=sys.stderr)
        print("retain: run it again to drop it", file=sys.stderr)
        return INCOMPLETE
    return OK


def _with_progress(steps: Iterator[Step], name: str, sums: Counter[str]) -> Iterator[Step]:
    """Yield the steps while printing the progress."""
    printed_at = time.monotonic()
    for step in steps:
        yield step
        if time.monotonic() - printed_at >= PROGRESS_SECONDS:
            printed_at = time.monotonic()
            print(f"retain: {sums[name]:,} {name} deleted", file=sys.stderr)


def _format_value(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ", ".join(cast("list[str]", value))


def _to_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _format_time(ms: int | None) -> str:
    return "never" if ms is None else f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


COMMAND = Command("retain", "delete raw events and messages by age (without --yes: count)", _run, _add_arguments)
