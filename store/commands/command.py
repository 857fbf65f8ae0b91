"""Defines a command of `python -m store`, and the exit codes."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

OK, INCOMPLETE, CANNOT_RUN, UNKNOWN = 0, 1, 2, 3
"""Exit codes: done; done in part, or events are lost; the command could not run; the result is unknown."""

CommandFunction: TypeAlias = Callable[[Namespace, Mapping[str, str]], int]
"""Takes the arguments and the environment and returns the exit code. store/__main__.py prints StoreErrors."""


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    help: str
    """One line in the list of commands."""
    run: CommandFunction
    add_arguments: Callable[[ArgumentParser], None] = lambda _: None
    """Adds the arguments of the command."""
