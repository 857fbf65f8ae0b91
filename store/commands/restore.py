"""`restore`: make a database of a backup."""

import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

from store.backup import restore
from store.commands import backup, ledger
from store.commands.command import OK, UNUSABLE, Command
from store.erasure.key_store import MissingKeyError
from store.postgres import connections
from store.postgres.client_programs import ProgramError

MEANING = """
What was acknowledged after the backup is not in it. What of that still waits in the stream or in a spool is stored,
once, as soon as workers run. The rest is lost here, and as soon as its writer is heard of again, with its next webhook,
`python -m store ledger` names the batches. A writer that was never heard of again is not known to be missing.
Clients that follow the feed get 410 once and begin anew. A token that was revoked after the backup works again."""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="what `backup` wrote")
    parser.add_argument("--yes", action="store_true", help="drop what the database has in it now")


def _run(chosen: Namespace, environ: Mapping[str, str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        restored = restore.restore(
            connections.direct_url(environ), chosen.file, environ, backup.tell, replace=chosen.yes
        )
    except restore.NotEmptyError as error:
        print(f"restore: {error}: --yes drops them. Nothing was changed.", file=sys.stderr)
        return UNUSABLE
    except ProgramError as error:
        print(f"restore: {error}", file=sys.stderr)
        return UNUSABLE
    except MissingKeyError as error:
        print(f"restore: {error} Then restore again, with --yes: nobody is served what was forgotten.", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("restore: interrupted: run it again with --yes", file=sys.stderr)
        return UNUSABLE
    for name in restored.migrated:
        print(f"applied {name}")
    if restored.forgotten:
        print(f"forgot {restored.forgotten:,} addresses again")
    print(f"restored {chosen.file}, which holds:")
    ledger.show(restored.holds)
    print(MEANING)
    return OK


COMMAND = Command("restore", "make the database what a backup holds", _run, _arguments)
