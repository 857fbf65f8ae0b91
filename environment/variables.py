"""Reads the variables of a process or command, without the quotation marks that Docker's `--env-file` keeps."""

from collections.abc import Mapping
from pathlib import Path

from environment import env_file, quotes


def of_process(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables; matching quotation marks around a value are no part of it."""
    return {name: quotes.unquoted(value) for name, value in environ.items()}


def of_command(environ: Mapping[str, str], folder: Path | None = None) -> dict[str, str]:
    """The same, with the variables that only `.env` in the folder sets (default: the current one), as for `./run`.

    Raises SettingsError.
    """
    return of_process({**env_file.read((folder or Path()) / ".env"), **environ})
