"""`python -m api`: serves the HTTP API until SIGTERM, or runs the commands `token …`, `senders …` and `sak …`."""

import argparse
import os
import sys
from collections.abc import Mapping

from api.app import create_app, create_server
from api.commands import sak, senders, tokens
from environment import listener, output, variables
from http_server import server
from telemetry import logs
from telemetry.errors import SettingsError


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    commands = parser.add_subparsers(dest="group")
    tokens.add_parser(commands)
    sak.add_parser(commands)
    senders.add_parser(commands)
    arguments = parser.parse_args()
    try:
        logs.configure("api", os.environ)
        if arguments.group == "token":
            print(tokens.run(arguments, variables.of_command(os.environ)), flush=True)
        elif arguments.group == "senders":
            print(senders.run(arguments, variables.of_command(os.environ)), flush=True)
        elif arguments.group == "sak":
            sys.exit(sak.run(arguments, os.environ))
        else:
            serve(variables.of_process(os.environ))
    except SettingsError as error:
        print(f"api: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        output.discard()
        sys.exit(f"api: {output.describe(error)}")


def serve(environ: Mapping[str, str]) -> None:
    """Serve until SIGTERM. Raises SettingsError."""
    app = create_app(environ)
    listening_socket = listener.open_socket(environ, "API_PORT", 3001)
    server.serve(create_server(app), listening_socket)


if __name__ == "__main__":
    main()
