"""Backups: one file of pg_dump's, of one moment, whatever is written meanwhile."""

import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from store.ledger import ledger
from store.ledger.ledger import Ledger
from store.postgres import client_programs, connections, errors
from store.postgres.client_programs import Program, ProgramError
from store.postgres.connections import Connection

ProgressCallback = Callable[[str], None]

SCHEMA = "public"
_SESSION_SETTINGS = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
"""The moment is held open for as long as pg_dump reads."""
_LOCK_WAIT_TIMEOUT = "30s"
"""For so long pg_dump waits for a migration; its reading disturbs nobody but migrations."""


@dataclass(frozen=True, slots=True)
class Backup:
    path: Path
    size: int
    """In bytes."""
    totals: Ledger
    """The ledger of the moment that the backup is of."""
    server_major: int
    """PostgreSQL's major version."""


def create(database_url: str, path: Path, environ: Mapping[str, str], on_progress: ProgressCallback) -> Backup:
    """Back the database up into a file that is not there yet; `tell` gets a line about how far it is now and then.

    The file appears under its name when all of it is on the disk. Raises ProgramError and
    TransientError, and leaves nothing behind.
    """
    if os.path.lexists(path):
        raise ProgramError(f"{path} is there already, and a backup is never overwritten: choose another name.")
    if not path.parent.is_dir():
        raise ProgramError(f"There is no folder {path.parent}.")
    with connections.open(database_url, "backup", overrides=_SESSION_SETTINGS, dedicated=True) as connection:
        major = connection.info.server_version // 10000
        dump = client_programs.find("pg_dump", major)
        with errors.translated(), connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            moment = _export_snapshot(connection)
            holds = ledger.read_in_transaction(connection)
            partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
            try:
                _run_pg_dump(
                    dump,
                    client_programs.connection_target(database_url, "backup", environ),
                    moment,
                    partial,
                    on_progress,
                )
                size = partial.stat().st_size
                _publish(partial, path)
            finally:
                partial.unlink(missing_ok=True)
    return Backup(path, size, holds, major)


def _export_snapshot(connection: Connection) -> str:
    """The name under which pg_dump finds the very snapshot of this transaction."""
    row = connection.execute("SELECT pg_export_snapshot(), to_regclass('public.migrations') IS NOT NULL").fetchone()
    name, is_ours = cast("tuple[str, bool]", row)
    if not is_ours:
        raise ProgramError("This database has no history in it: `python -m store migrate` makes the tables.")
    return name


def _run_pg_dump(
    pg_dump: Program,
    server: client_programs.ConnectionTarget,
    snapshot: str,
    partial: Path,
    on_progress: ProgressCallback,
) -> None:
    # Made first, so that nobody else can read it: pg_dump writes into what is there.
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    arguments = [
        "--format=custom",
        f"--schema={SCHEMA}",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={_LOCK_WAIT_TIMEOUT}",
    ]
    if pg_dump.major >= 14:
        arguments.append("--extension=pg_trgm")
    # Whose the tables are and who may read them is the business of the server that they are restored into.
    arguments += ["--no-owner", "--no-privileges", "--no-comments", "--no-tablespaces", "--no-password"]
    client_programs.run(
        pg_dump,
        [*arguments, f"--file={partial}", f"--dbname={server.dbname}"],
        server.environment,
        on_progress=lambda: on_progress(f"{format_megabytes(partial.stat().st_size)} written"),
    )


def _publish(partial: Path, path: Path) -> None:
    """Give the file its name once the disk has it; raises ProgramError if somebody else took the name meanwhile."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    try:
        # A link does not replace what is there, as a rename would.
        os.link(partial, path)
    except FileExistsError:
        raise ProgramError(f"{path} has appeared meanwhile, and a backup is never overwritten.") from None
    except OSError:
        partial.rename(path)  # a disk without links
    with suppress(OSError):  # some network disks cannot
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def format_megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
