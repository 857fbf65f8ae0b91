"""`restore`: make a database of a backup."""

import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

from store.backup import restore
from store.commands import backup, ledger
from store.commands.command import CANNOT_RUN, OK, Command
from store.erasure.key_store import SuppressionKeyError
from store.postgres import connections
from store.postgres.client_programs import ProgramError

AFTER_RESTORE_NOTE = """
What was acknowledged after the backup is not in it. What of that still waits in the stream or in a spool is stored,
once, as soon as workers run. The rest is lost here, and as soon as its writer is heard of again, with its next webhook,
`python -m store ledger` names the batches. A writer that was never heard of again is not known to be missing.
Clients that follow the feed get 410 once and begin anew. A token that was revoked after the backup works again."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="what `backup` wrote")
    parser.add_argument("--yes", action="store_true", help="drop what the database has in it now")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        restored = restore.restore(
            connections.direct_url(environ), options.file, environ, backup.print_progress, replace=options.yes
        )
    except restore.DatabaseNotEmptyError as error:
        print(f"restore: {error}: --yes drops them. Nothing was changed.", file=sys.stderr)
        return CANNOT_RUN
    except ProgramError as error:
        print(f"restore: {error}", file=sys.stderr)
        return CANNOT_RUN
    except SuppressionKeyError as error:
        print(f"restore: {error} Then restore again, with --yes: nobody is served what was forgotten.", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        print("restore: interrupted: run it again with --yes", file=sys.stderr)
        return CANNOT_RUN
    for name in restored.applied_migrations:
        print(f"applied {name}")
    if restored.reapplied_suppressions:
        print(f"forgot {restored.reapplied_suppressions:,} addresses again")
    print(f"restored {options.file}, which holds:")
    ledger.print_totals(restored.totals)
    print(AFTER_RESTORE_NOTE)
    return OK


COMMAND = Command("restore", "make the database what a backup holds", _run, _add_arguments)
