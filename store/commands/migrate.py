"""`migrate`: bring the database up to this version."""

from argparse import Namespace
from collections.abc import Mapping

from store import connect, migrate
from store.commands.command import OK, Command


def _run(_: Namespace, environ: Mapping[str, str]) -> int:
    applied = migrate.migrate(connect.direct_url(environ))
    print("\n".join(f"applied {name}" for name in applied) or "nothing to apply: the database is up to date")
    return OK


COMMAND = Command("migrate", "bring the database up to this version", _run)
