"""`python -m dev [--demo]`: starts the local system. `./run` calls it once everything is installed."""

import contextlib
import os
import sys
from collections.abc import Sequence

from dev.checkout import ROOT
from dev.errors import StartError
from dev.supervisor import supervisor
from dev.supervisor.console import LOG_NAME, Console
from dev.supervisor.settings import SupervisorSettings
from environment import output, variables
from telemetry.errors import SettingsError


def main(arguments: Sequence[str]) -> int:
    if unknown := set(arguments) - {"--demo"}:
        print(f"Unknown arguments: {' '.join(sorted(unknown))}. See ./run --help.", file=sys.stderr)
        return 2
    console = Console()
    try:
        environ = variables.of_command(os.environ, ROOT)
        settings = SupervisorSettings.from_environ(environ)
        if demo := "--demo" in arguments:
            console = Console(settings.data_dir / LOG_NAME)
            console.notice("dev", f"starting; what the programs print goes to {console.log_path}")
        with contextlib.closing(console):
            supervisor.run(settings, environ, console, demo=demo)
    except (StartError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(output.describe(error), file=sys.stderr)
        return 1
    except supervisor.StartInterruptedError:
        console.notice("dev", "stopped before everything was started")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
