"""`python -m dev [--demo]`: starts the local system; `./run` calls it once everything is installed."""

import os
import sys
from collections.abc import Sequence

from dev.checkout import ROOT
from dev.errors import StartError
from dev.supervisor import supervisor
from dev.supervisor.settings import SupervisorSettings
from environment import output, variables
from telemetry.errors import SettingsError


def main(arguments: Sequence[str]) -> int:
    if unknown := set(arguments) - {"--demo"}:
        print(f"Unknown arguments: {' '.join(sorted(unknown))}. See ./run --help.", file=sys.stderr)
        return 2
    try:
        environ = variables.of_command(os.environ, ROOT)
        supervisor.run(SupervisorSettings.from_environ(environ), environ, print_line, demo="--demo" in arguments)
    except (StartError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(output.describe(error), file=sys.stderr)
        return 1
    except supervisor.StartInterruptedError:
        print_line("dev", "stopped before everything was started")
    return 0


def print_line(source: str, line: str) -> None:
    """Print a line with its source; a closed terminal or a full disk is ignored."""
    try:
        print(f"{source:<8} | {line}", flush=True)
    except OSError:  # `./run | grep -m1 ready`, a closed terminal, a full disk
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
