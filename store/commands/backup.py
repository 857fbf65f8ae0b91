"""`backup`: the whole database, as of one moment, in one file."""

import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

from store.backup import dump
from store.commands import ledger
from store.commands.command import OK, UNUSABLE, Command
from store.postgres import connections
from store.postgres.client_programs import ProgramError


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a new file; one that is there is never overwritten")


def _run(chosen: Namespace, environ: Mapping[str, str]) -> int:
    # Ended by whatever runs it, it ends pg_dump and leaves nothing, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        made = dump.make(connections.direct_url(environ), chosen.file, environ, tell)
    except ProgramError as error:
        print(f"backup: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("backup: interrupted, and nothing was kept", file=sys.stderr)
        return UNUSABLE
    print(f"{made.path}: {dump.megabytes(made.size)}, from PostgreSQL {made.server}. It holds:")
    ledger.show(made.holds)
    return OK


def tell(how_far: str) -> None:
    """How far it is, where it is not in the way of what the command prints."""
    print(how_far, file=sys.stderr, flush=True)


COMMAND = Command("backup", "write the whole database into a file", _run, _arguments)
