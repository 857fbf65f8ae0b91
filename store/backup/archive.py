"""A backup's file, as pg_restore tells of it before anything is restored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from store.postgres import client_programs
from store.postgres.client_programs import Program, ProgramError

# What any server has or has to itself; and the rows that say that the database may be used.
_EXCLUDED_ENTRIES = re.compile(r"^\d+; \d+ \d+ (?:SCHEMA - public |COMMENT |ACL |TABLE DATA public migrations )")
_REQUIRED_ENTRIES = ("TABLE public batches ", "TABLE public event_digests ", "TABLE DATA public migrations ")


@dataclass(frozen=True, slots=True)
class BackupArchive:
    path: Path
    server_major: int
    """The major version of the server that it was made from."""
    migrations: tuple[str, ...]
    """Those that the database had, in order."""
    restore_list: str
    """pg_restore's list of what is to be restored."""


def inspect(path: Path, pg_restore: Program, environment: Mapping[str, str]) -> BackupArchive:
    """Read the file from its beginning to its end; raises ProgramError if it is damaged, or is no backup of ours."""
    try:
        with path.open("rb") as file:
            is_archive = file.read(5) == b"PGDMP"
    except OSError as error:
        raise ProgramError(f"{path} cannot be read: {error.strerror}.") from None
    if not is_archive:
        raise ProgramError(f"{path} is no backup that `python -m store backup` made.")
    try:
        listed = client_programs.run(pg_restore, ["--list", str(path)], environment)
    except ProgramError as error:
        if "unsupported version" not in str(error):
            raise
        raise ProgramError(
            f"{path} was written by a newer PostgreSQL than {pg_restore.major}: restore it into a server as new."
        ) from error
    if any(essential not in listed for essential in _REQUIRED_ENTRIES):
        raise ProgramError(f"{path} is a backup of another database: it has no history of ours in it.")
    server = re.search(r"Dumped from database version: (\d+)", listed)
    if server is None:
        raise ProgramError(f"{path} does not say which PostgreSQL it was made from.")
    # Everything is unpacked once, into nowhere: what was cut short or has decayed is found before anything is replaced.
    client_programs.run(pg_restore, ["--file=/dev/null", str(path)], environment)
    rows = client_programs.run(pg_restore, ["--data-only", "--table=migrations", "--file=-", str(path)], environment)
    names = sorted(re.findall(r"^(\d[^\t\n]*\.sql)\t", rows, re.MULTILINE))
    kept = [line for line in listed.splitlines() if not line.startswith(";") and not _EXCLUDED_ENTRIES.match(line)]
    return BackupArchive(path, int(server[1]), tuple(names), "\n".join(kept) + "\n")
