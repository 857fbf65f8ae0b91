"""`restore`: replaces a database by a backup."""

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
Events that were acknowledged after the backup are not in it. Those that are still in the stream or in a spool are
stored, once, as soon as workers run. The others are lost here; `python -m store ledger` names their batches after the
next webhook of the same ingest process. It cannot name those of an ingest process that never writes again.
Clients that follow the feed get 410 once and reload. Tokens that were revoked after the backup are valid again."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a file that `backup` wrote")
    parser.add_argument("--yes", action="store_true", help="drop all tables of the database first")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        restored = restore.restore(
            connections.direct_url(environ), options.file, environ, backup.print_progress, replace=options.yes
        )
    except restore.DatabaseNotEmptyError as error:
        failure = f"{error}. Nothing was changed. Add --yes to drop them."
    except ProgramError as error:
        failure = str(error)
    except SuppressionKeyError as error:
        failure = f"{error} Then restore again with --yes. No process serves the database until then."
    except KeyboardInterrupt:
        failure = "interrupted. Run it again with --yes."
    else:
        for name in restored.applied_migrations:
            print(f"applied {name}")
        if restored.reapplied_suppressions:
            print(f"applied {restored.reapplied_suppressions:,} suppressions again")
        print(f"restored {options.file}. Its ledger:")
        ledger.print_totals(restored.totals)
        print(AFTER_RESTORE_NOTE)
        return OK
    print(f"restore: {failure}", file=sys.stderr)
    return CANNOT_RUN


COMMAND = Command("restore", "replace the database by a backup", _run, _add_arguments)
