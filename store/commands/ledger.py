"""`ledger`: prints the account of all events, and whether any are lost."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from store.commands.command import INCOMPLETE, OK, UNKNOWN, Command
from store.ledger import ledger
from store.postgres import connections


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    with connections.open(connections.url(environ), "ledger") as connection:
        totals = ledger.read(connection)
    if options.json:
        print(json.dumps(totals.document()))
    else:
        print_totals(totals)
    if totals.waiting is None:
        return UNKNOWN
    return OK if totals.exact else INCOMPLETE


def print_totals(totals: ledger.Ledger) -> None:
    for name in ("received", "stored", "duplicate", "noise", "ping", "parked", "forgotten"):
        print(f"{name:>10} {getattr(totals, name):>12,}")
    if totals.waiting is None:
        last_read = "no worker has ever read the stream"
        if totals.as_of is not None:
            last_read = f"a worker last read the stream at {totals.as_of:%Y-%m-%d %H:%M:%S} UTC"
        print(f"{'waiting':>10} {'unknown':>12}  ({last_read}; start one)")
        return
    print(f"{'waiting':>10} {totals.waiting:>12,}")
    for gap in totals.lost:
        numbers = f"batch {gap.first}" if gap.first == gap.last else f"batches {gap.first} to {gap.last}"
        spool = f"; its spool last contained {gap.spooled} events: start an ingest on it" if gap.spooled else ""
        print(f"LOST: {gap.events} events of writer {gap.writer}, {numbers}{spool}")
    print("exact" if totals.exact else "NOT EXACT: acknowledged events are lost")


COMMAND = Command("ledger", "print the account of all events", _run, _add_arguments)
