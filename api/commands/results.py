"""Defines the results and exit codes of the `sak` commands."""

from dataclasses import dataclass
from typing import Any

EXIT_OK, EXIT_NEGATIVE, EXIT_USAGE, EXIT_REFUSED, EXIT_NOT_DONE, EXIT_UNKNOWN = range(6)


@dataclass(frozen=True, slots=True)
class CommandResult:
    lines: tuple[str, ...]
    """The result as text."""
    data: Any
    """The result as JSON."""
    exit_code: int = EXIT_OK
