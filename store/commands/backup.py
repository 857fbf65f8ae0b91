"""`backup`: writes the whole database, from one snapshot, into one file."""

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
    parser.add_argument("file", type=Path, metavar="FILE", help="a new file; an existing one is never overwritten")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    # SIGTERM ends pg_dump and removes the partial file, like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        backup = dump.create(connections.direct_url(environ), options.file, environ, print_progress)
    except ProgramError as error:
        print(f"backup: {error}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        print("backup: interrupted; no file was written", file=sys.stderr)
        return CANNOT_RUN
    print(f"{backup.path}: {dump.format_megabytes(backup.size)}, from PostgreSQL {backup.server_major}. Its ledger:")
    ledger.print_totals(backup.totals)
    return OK


def print_progress(text: str) -> None:
    """Print a line of progress to standard error."""
    print(text, file=sys.stderr, flush=True)


COMMAND = Command("backup", "write the whole database into a file", _run, _add_arguments)
