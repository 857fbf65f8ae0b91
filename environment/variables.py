"""Reads the variables of a process or command, and removes the quotation marks that Docker's `--env-file` keeps."""

import re
from collections.abc import Mapping
from pathlib import Path

from environment import env_file, quotes
from telemetry.errors import SettingsError

_DIGITS = re.compile("[0-9]{1,18}")


def of_process(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without matching quotation marks around their values."""
    return {name: quotes.unquoted(value) for name, value in environ.items()}


def of_command(environ: Mapping[str, str], folder: Path | None = None) -> dict[str, str]:
    """Return the variables, and those that only `.env` in the folder (default: the current one) sets, as `./run` does.

    Raises SettingsError.
    """
    return of_process({**env_file.read((folder or Path()) / ".env"), **environ})


def whole_number(
    environ: Mapping[str, str], name: str, default: int, *, minimum: int = 0, maximum: int | None = None
) -> int:
    """Return the number that a variable contains, or the default if it is empty. Raises SettingsError."""
    text = environ.get(name, "").strip() or str(default)
    # `int` alone accepts digits of other scripts, and fails on thousands of digits.
    if not _DIGITS.fullmatch(text) or int(text) < minimum or (maximum is not None and int(text) > maximum):
        bounds = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise SettingsError(f"{name} must be a whole number {bounds}, not {text!r}.")
    return int(text)


def switch(environ: Mapping[str, str], name: str) -> bool:
    """Return whether a variable is on. It is off by default. Raises SettingsError."""
    text = environ.get(name, "").strip().lower() or "0"
    if text not in {"0", "1", "false", "true", "no", "yes"}:
        raise SettingsError(f"{name} must be 1 or 0, not {text!r}.")
    return text in {"1", "true", "yes"}
