"""Inspects a backup file with pg_restore before anything is restored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from store.backup import checksum
from store.postgres import client_programs
from store.postgres.client_programs import Program, ProgramError

# Entries that every server has, and the recorded migrations. While those are missing, no process is ready.
_EXCLUDED_ENTRIES = re.compile(r"^\d+; \d+ \d+ (?:SCHEMA - public |COMMENT |ACL |TABLE DATA public migrations )")
_REQUIRED_ENTRIES = ("TABLE public batches ", "TABLE public event_digests ", "TABLE DATA public migrations ")


@dataclass(frozen=True, slots=True)
class BackupArchive:
    path: Path
    server_major: int
    """The major version of the server that was dumped."""
    migrations: tuple[str, ...]
    """The migrations of the dumped database in order."""
    restore_list: str
    """The list of entries to restore, in pg_restore's format."""


def inspect(path: Path, pg_restore: Program, environment: Mapping[str, str]) -> BackupArchive:
    """Read the whole file. Raises ProgramError if it is damaged or is not a backup of a history."""
    try:
        with path.open("rb") as file:
            is_archive = file.read(5) == b"PGDMP"
    except OSError as error:
        raise ProgramError(f"Cannot read {path}: {error.strerror}.") from None
    if not is_archive:
        raise ProgramError(f"{path} is not a backup by `python -m store backup`.")
    if checksum.is_wrong(path):
        raise ProgramError(f"{path} is damaged: its checksum does not match. Use another backup.")
    try:
        entries = client_programs.run(pg_restore, ["--list", str(path)], environment)
    except ProgramError as error:
        if "unsupported version" not in str(error):
            raise
        raise ProgramError(
            f"{path} was written by a PostgreSQL newer than {pg_restore.major}. Restore it into such a server."
        ) from error
    if any(required not in entries for required in _REQUIRED_ENTRIES):
        raise ProgramError(f"{path} is a backup of another database: it contains no history.")
    server = re.search(r"Dumped from database version: (\d+)", entries)
    if server is None:
        raise ProgramError(f"{path} does not contain the version of the dumped PostgreSQL.")
    # Unpack everything once, so that a truncated or damaged file is rejected before the database is changed.
    client_programs.run(pg_restore, ["--file=/dev/null", str(path)], environment)
    rows = client_programs.run(pg_restore, ["--data-only", "--table=migrations", "--file=-", str(path)], environment)
    names = sorted(re.findall(r"^(\d[^\t\n]*\.sql)\t", rows, re.MULTILINE))
    restored = [line for line in entries.splitlines() if not line.startswith(";") and not _EXCLUDED_ENTRIES.match(line)]
    return BackupArchive(path, int(server[1]), tuple(names), "\n".join(restored) + "\n")
