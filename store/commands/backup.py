"""`backup`: the whole database, as of one moment, in one file."""

import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

from store.backup import dump
from store.commands import ledger
from store.commands.command import CANNOT_RUN, OK, Command
from store.postgres import connections
from store.postgres.client_programs import ProgramError


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a new file; one that is there is never overwritten")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    # Ended by whatever runs it, it ends pg_dump and leaves nothing, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        made = dump.create(connections.direct_url(environ), options.file, environ, print_progress)
    except ProgramError as error:
        print(f"backup: {error}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        print("backup: interrupted, and nothing was kept", file=sys.stderr)
        return CANNOT_RUN
    print(f"{made.path}: {dump.format_megabytes(made.size)}, from PostgreSQL {made.server_major}. It holds:")
    ledger.print_totals(made.totals)
    return OK


def print_progress(text: str) -> None:
    """How far it is, where it is not in the way of what the command prints."""
    print(text, file=sys.stderr, flush=True)


COMMAND = Command("backup", "write the whole database into a file", _run, _add_arguments)
