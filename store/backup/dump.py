"""Creates a backup: one file written by pg_dump, from one snapshot, while other processes write."""

import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from environment import private_file
from store.backup import checksum
from store.ledger import ledger
from store.ledger.ledger import Ledger
from store.postgres import client_programs, connections, errors
from store.postgres.client_programs import ConnectionTarget, Program, ProgramError
from store.postgres.connections import Connection

ProgressCallback = Callable[[str], None]

SCHEMA = "public"
_SESSION_SETTINGS = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
"""The timeouts of the snapshot's connection, which stays open as long as pg_dump reads."""
_LOCK_WAIT_TIMEOUT = "30s"
"""The time that pg_dump waits for a migration, which is the only writer that conflicts with it."""


@dataclass(frozen=True, slots=True)
class Backup:
    path: Path
    size: int
    """In bytes."""
    totals: Ledger
    """The ledger in the snapshot."""
    server_major: int
    """The major version of PostgreSQL."""


def create(database_url: str, path: Path, environ: Mapping[str, str], on_progress: ProgressCallback) -> Backup:
    """Back up the database into a new file. `on_progress` is called with a line of text every few seconds.

    The file appears under its name when it is complete and on disk. Raises ProgramError and TransientError; no file is
    left then.
    """
    if os.path.lexists(path):
        raise ProgramError(f"{path} exists, and a backup is never overwritten. Choose another name.")
    if not path.parent.is_dir():
        raise ProgramError(f"The folder {path.parent} does not exist. Create it or choose another name.")
    with connections.open(database_url, "backup", overrides=_SESSION_SETTINGS, dedicated=True) as connection:
        major = connection.info.server_version // 10000
        dump = client_programs.find("pg_dump", major)
        with errors.translated(), connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            snapshot = _export_snapshot(connection)
            totals = ledger.read_in_transaction(connection)
            partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
            try:
                target = client_programs.connection_target(database_url, "backup", environ)
                _run_pg_dump(dump, target, snapshot, partial, on_progress)
                checksum.append(partial)
                size = partial.stat().st_size
                _publish(partial, path)
            finally:
                partial.unlink(missing_ok=True)
    return Backup(path, size, totals, major)


def _export_snapshot(connection: Connection) -> str:
    """Return the name under which pg_dump can use the snapshot of this transaction."""
    row = connection.execute("SELECT pg_export_snapshot(), to_regclass('public.migrations') IS NOT NULL").fetchone()
    name, is_ours = cast("tuple[str, bool]", row)
    if not is_ours:
        raise ProgramError("The database contains no history. Run `python -m store migrate` to create the tables.")
    return name


def _run_pg_dump(
    pg_dump: Program,
    target: ConnectionTarget,
    snapshot: str,
    partial: Path,
    on_progress: ProgressCallback,
) -> None:
    # The file is created here, so that only the owner can read it; pg_dump writes into it.
    os.close(private_file.open_descriptor(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    # Owners and privileges depend on the server into which the backup is restored.
    arguments = ["--no-owner", "--no-privileges", "--no-comments", "--no-tablespaces", "--no-password"]
    if pg_dump.major >= 14:
        arguments.append("--extension=pg_trgm")
    arguments += [f"--schema={SCHEMA}", f"--snapshot={snapshot}", f"--lock-wait-timeout={_LOCK_WAIT_TIMEOUT}"]
    arguments += ["--format=custom", f"--file={partial}", f"--dbname={target.dbname}"]
    client_programs.run(
        pg_dump,
        arguments,
        target.environment,
        on_progress=lambda: on_progress(f"{format_megabytes(partial.stat().st_size)} written"),
    )


def _publish(partial: Path, path: Path) -> None:
    """Sync the file and give it its name. Raises ProgramError if the name was taken in the meantime."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    try:
        # Unlike a rename, a link does not replace an existing file.
        os.link(partial, path)
    except FileExistsError:
        message = f"{path} was created meanwhile, and a backup is never overwritten. Choose another name."
        raise ProgramError(message) from None
    except OSError:
        partial.rename(path)  # a file system without links
    with suppress(OSError):  # not supported by some network file systems
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def format_megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
