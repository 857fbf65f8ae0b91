"""`python -m store …`: administers the database."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from store.commands import backup, doctor, forget, ledger, migrate, raw, restore, retain
from store.commands.command import CANNOT_RUN, OK, Command
from store.postgres.connections import DatabaseUrlError
from store.postgres.errors import StoreError
from store.postgres.migrator import UnknownMigrationError

COMMANDS: Sequence[Command] = (
    migrate.COMMAND,
    ledger.COMMAND,
    raw.COMMAND,
    backup.COMMAND,
    restore.COMMAND,
    retain.COMMAND,
    forget.COMMAND,
    doctor.COMMAND,
)


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command; return its exit code (store/commands/command.py)."""
    parser = argparse.ArgumentParser(prog="python -m store", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        subparser = commands.add_parser(command.name, help=command.help)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    try:
        return options.run(options, environ)
    except (StoreError, DatabaseUrlError, UnknownMigrationError) as error:
        print(f"store: {error}", file=sys.stderr)
        return CANNOT_RUN
    except (KeyboardInterrupt, BrokenPipeError):
        # The normal end of `raw --follow` and of `| head`. Without a standard output Python flushes nothing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
