"""Reads the variables of a process or command, and removes the quotation marks that Docker's `--env-file` keeps."""

from collections.abc import Mapping
from pathlib import Path

from environment import env_file, quotes


def of_process(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without matching quotation marks around their values."""
    return {name: quotes.unquoted(value) for name, value in environ.items()}


def of_command(environ: Mapping[str, str], folder: Path | None = None) -> dict[str, str]:
    """Return the same, and the variables that only `.env` in the folder (default: the current one) sets, like `./run`.

    Raises SettingsError.
    """
    return of_process({**env_file.read((folder or Path()) / ".env"), **environ})
