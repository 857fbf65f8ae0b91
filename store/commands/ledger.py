"""`ledger`: prints the account of all events and whether any are lost, and records losses that a person accepts."""

import argparse
import getpass
import json
import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from store.commands.command import CANNOT_RUN, INCOMPLETE, OK, UNKNOWN, Command
from store.ledger import acceptance, ledger
from store.ledger.losses import AcceptedLoss, BatchRange
from store.model import lines
from store.postgres import connections, migrator
from store.postgres.connections import Connection

_WRITER = "[0-9a-f]{32}"
_BATCHES = re.compile(f"({_WRITER}):([1-9][0-9]{{0,17}})(?:-([1-9][0-9]{{0,17}}))?")


def _parse_batches(text: str) -> BatchRange:
    found = _BATCHES.fullmatch(text)
    if found is None or int(found[2]) > int(found[3] or found[2]):
        raise argparse.ArgumentTypeError("must be WRITER:FROM-TO as `ledger` prints it, such as 0c31…:7-9")
    return BatchRange(found[1], int(found[2]), int(found[3] or found[2]))


def _parse_writer(text: str) -> str:
    if not re.fullmatch(_WRITER, text):
        raise argparse.ArgumentTypeError("must be the 32 hexadecimal digits that `ledger` prints")
    return text


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    accepted = parser.add_mutually_exclusive_group()
    accepted.add_argument(
        "--accept-loss", type=_parse_batches, metavar="WRITER:FROM-TO", help="write lost batches off, for ever"
    )
    accepted.add_argument(
        "--accept-end", type=_parse_writer, metavar="WRITER", help="wait no longer for a silent writer and its spool"
    )
    parser.add_argument("--reason", help="why the loss or the end is accepted; required with it")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    accepts = options.accept_loss is not None or options.accept_end is not None
    if accepts != bool(options.reason):
        print("ledger: --accept-loss and --accept-end need a --reason, and nothing else has one", file=sys.stderr)
        return CANNOT_RUN
    with connections.open(connections.url(environ), "ledger") as connection:
        if missing := migrator.missing(connection):
            print(f"ledger: the database lacks {', '.join(missing)}. Run `python -m store migrate`.", file=sys.stderr)
            return CANNOT_RUN
        if accepts:
            _accept(connection, options)
        totals = ledger.read(connection)
    if options.json:
        print(json.dumps(totals.document()))
    else:
        print_totals(totals)
    if totals.lost:
        return INCOMPLETE
    return OK if totals.exact else UNKNOWN


def _accept(connection: Connection, options: Namespace) -> None:
    audit = {"reason": options.reason, "accepted_by": _user_name()}
    if options.accept_end is not None:
        acceptance.accept_end(connection, options.accept_end, **audit)
    else:
        acceptance.accept_loss(connection, options.accept_loss, **audit)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return f"uid {os.getuid()}"


def print_totals(totals: ledger.Ledger) -> None:
    for name in ("received", "stored", "duplicate", "noise", "ping", "parked", "forgotten"):
        print(f"{name:>10} {getattr(totals, name):>12,}")
    waiting = "unknown" if totals.waiting is None else f"{totals.waiting:,}"
    print(f"{'waiting':>10} {waiting:>12}")
    if totals.written_off:
        print(f"{'lost':>10} {totals.written_off:>12,}  (accepted)")
    for loss in totals.accepted_losses:
        print(_describe(loss))
    for gap in totals.lost:
        print(f"LOST: {gap.events} events of {gap.writer}:{gap.first}-{gap.last}")
    for question in totals.unknown:
        # Escaped, because everybody who can write to Redis can report a host.
        print(lines.escape_invisible(f"UNKNOWN: {question.message} {question.remedy}"))
    if totals.exact:
        print("exact")
    else:
        print(f"NOT EXACT: acknowledged events {'are' if totals.lost else 'may be'} lost")


def _describe(loss: AcceptedLoss) -> str:
    what = f"the end of {loss.writer}"
    if loss.first is not None:
        what = f"the loss of {loss.events} events of {loss.writer}:{loss.first}-{loss.last}"
    return f"accepted: {what} ({loss.accepted_at:%Y-%m-%d}, {loss.accepted_by}: {loss.reason})"


COMMAND = Command("ledger", "print the account of all events, or accept a loss", _run, _add_arguments)
