"""What every command of `python -m store` is."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

OK, INCOMPLETE, CANNOT_RUN, UNKNOWN = 0, 1, 2, 3
"""Exit codes: done; something does not add up; the command could not run; nobody knows."""

CommandFunction: TypeAlias = Callable[[Namespace, Mapping[str, str]], int]
"""From the arguments and the environment to the exit code; raises what store/__main__.py makes a sentence of."""


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    help: str
    """One line, for the list of commands."""
    run: CommandFunction
    add_arguments: Callable[[ArgumentParser], None] = lambda _: None
    """Adds its own arguments."""
