"""`python -m store …`: what an operator asks of the database."""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence

from store import connect, errors, ledger, migrate, raw
from store.errors import StoreError

PAUSE = 0.25
"""Seconds between two looks at what arrived."""
OK, NOT_EXACT, UNUSABLE, UNKNOWN = 0, 1, 2, 3


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit code: 0 done, 1 the ledger does not add up, 2 the command could not run, 3 nobody knows what waits."""
    parser = argparse.ArgumentParser(prog="python -m store", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the database up to this version")
    adding_up = commands.add_parser("ledger", help="print what was received and what became of it")
    adding_up.add_argument("--json", action="store_true", help="for machines")
    bodies = commands.add_parser("raw", help="print the last raw payloads")
    bodies.add_argument("--follow", action="store_true", help="and then each as it arrives")
    bodies.add_argument("--last", type=int, default=10, metavar="N", help="how many to begin with (10)")
    bodies.add_argument("--json", action="store_true", help="for machines, one a line")
    chosen = parser.parse_args(arguments)
    try:
        url = connect.url(environ)
        if chosen.command == "migrate":
            return _migrate(url)
        if chosen.command == "raw":
            return _raw(url, count=max(chosen.last, 0), follow=chosen.follow, as_json=chosen.json)
        return _ledger(url, as_json=chosen.json)
    except (StoreError, connect.NoDatabaseError, migrate.UnknownMigrationError) as error:
        print(f"store: {error}", file=sys.stderr)
        return UNUSABLE
    except (KeyboardInterrupt, BrokenPipeError):
        # Whoever follows ends so, and so does `| head`; Python would complain once more about what is left to print.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _migrate(url: str) -> int:
    applied = migrate.migrate(url)
    print("\n".join(f"applied {name}" for name in applied) or "nothing to apply: the database is up to date")
    return OK


def _raw(url: str, *, count: int, follow: bool, as_json: bool) -> int:
    with connect.open(url, "raw") as connection:
        with errors.translated():
            tail = raw.Tail(raw.last(connection, count))
        while True:
            with errors.translated():
                new = tail.look(connection)
            for payload in new:
                if as_json:
                    print(json.dumps(payload.document(), ensure_ascii=False))
                else:
                    print(f"# {payload.event_id} {payload.received} {payload.outcome}\n{payload.text}")
            sys.stdout.flush()
            if not follow:
                return OK
            time.sleep(PAUSE)


def _ledger(url: str, *, as_json: bool) -> int:
    with connect.open(url, "ledger") as connection:
        read = ledger.read(connection)
    if as_json:
        print(json.dumps(read.document()))
    else:
        _print(read)
    if read.waiting is None:
        return UNKNOWN
    return OK if read.exact else NOT_EXACT


def _print(read: ledger.Ledger) -> None:
    for name in ("received", "stored", "duplicate", "noise", "ping", "parked", "forgotten"):
        print(f"{name:>10} {getattr(read, name):>12,}")
    if read.waiting is None:
        seen = (
            "no worker ever looked"
            if read.as_of is None
            else f"a worker last looked at {read.as_of:%Y-%m-%d %H:%M:%S} UTC"
        )
        print(f"{'waiting':>10} {'unknown':>12}  ({seen}: start one)")
        return
    print(f"{'waiting':>10} {read.waiting:>12,}")
    for gap in read.lost:
        numbers = f"batch {gap.first}" if gap.first == gap.last else f"batches {gap.first} to {gap.last}"
        where = f"; its spool last held {gap.spooled} events, so start an ingest on that spool" if gap.spooled else ""
        print(f"LOST: {gap.events} events of writer {gap.writer}, {numbers}{where}")
    print("exact" if read.exact else "NOT EXACT: events were acknowledged and are nowhere")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
