"""`migrate`: applies pending migrations."""

from argparse import Namespace
from collections.abc import Mapping

from store.commands.command import OK, Command
from store.postgres import connections, migrator


def _run(_: Namespace, environ: Mapping[str, str]) -> int:
    applied = migrator.migrate(connections.direct_url(environ))
    print("\n".join(f"applied {name}" for name in applied) or "nothing to apply: the database is up to date")
    return OK


COMMAND = Command("migrate", "apply pending migrations", _run)
