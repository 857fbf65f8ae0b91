"""`ledger`: what was received, what became of it, and whether that adds up."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from store.commands.command import INCOMPLETE, OK, UNKNOWN, Command
from store.ledger import ledger
from store.postgres import connections


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for machines")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    with connections.open(connections.url(environ), "ledger") as connection:
        read = ledger.read(connection)
    if options.json:
        print(json.dumps(read.document()))
    else:
        print_totals(read)
    if read.waiting is None:
        return UNKNOWN
    return OK if read.exact else INCOMPLETE


def print_totals(totals: ledger.Ledger) -> None:
    """Print it for people."""
    for name in ("received", "stored", "duplicate", "noise", "ping", "parked", "forgotten"):
        print(f"{name:>10} {getattr(totals, name):>12,}")
    if totals.waiting is None:
        seen = (
            "no worker ever looked"
            if totals.as_of is None
            else f"a worker last looked at {totals.as_of:%Y-%m-%d %H:%M:%S} UTC"
        )
        print(f"{'waiting':>10} {'unknown':>12}  ({seen}: start one)")
        return
    print(f"{'waiting':>10} {totals.waiting:>12,}")
    for gap in totals.lost:
        numbers = f"batch {gap.first}" if gap.first == gap.last else f"batches {gap.first} to {gap.last}"
        where = f"; its spool last held {gap.spooled} events, so start an ingest on that spool" if gap.spooled else ""
        print(f"LOST: {gap.events} events of writer {gap.writer}, {numbers}{where}")
    print("exact" if totals.exact else "NOT EXACT: events were acknowledged and are nowhere")


COMMAND = Command("ledger", "print what was received and what became of it", _run, _add_arguments)
