"""`python -m store …`: administers the database."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from environment import output, variables
from store.commands import backup, doctor, forget, ledger, migrate, raw, restore, retain
from store.commands.command import CANNOT_RUN, OK, Command
from store.postgres.errors import StoreError
from store.postgres.migrator import UnknownMigrationError
from telemetry.errors import SettingsError

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
    """Run the command, with the variables of `.env` that `environ` lacks. Return its exit code.

    The codes are in store/commands/command.py.
    """
    parser = argparse.ArgumentParser(prog="python -m store", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        subparser = commands.add_parser(command.name, help=command.help)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    try:
        code = options.run(options, variables.of_command(environ))
        sys.stdout.flush()
    except (StoreError, UnknownMigrationError, SettingsError) as error:
        print(f"store: {error}", file=sys.stderr)
        return CANNOT_RUN
    except (KeyboardInterrupt, BrokenPipeError):
        output.discard()  # the normal end of `raw --follow` and of `| head`
        return OK
    except OSError as error:
        output.discard()
        print(f"store: {output.describe(error)}", file=sys.stderr)
        return CANNOT_RUN
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
