"""`python -m api`: serves the HTTP API until SIGTERM; `token …`, `senders …` and `sak …` are commands."""

import argparse
import os
import socket
import sys
from collections.abc import Mapping

import uvicorn

from api.app import create_app
from api.commands import sak, senders, tokens
from api.live.broadcaster import Broadcaster
from environment import listener, output, variables
from telemetry import logs
from telemetry.errors import SettingsError

_SHUTDOWN_GRACE_SECONDS = 5
"""Seconds that open requests have to finish after SIGTERM."""


class _StreamClosingServer(uvicorn.Server):
    """Closes the event streams at shutdown before it waits for open requests: streams do not end by themselves."""

    def __init__(self, config: uvicorn.Config, broadcaster: Broadcaster) -> None:
        super().__init__(config)
        self._broadcaster = broadcaster

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._broadcaster.close()
        await super().shutdown(sockets)


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
        sys.exit(f"api: {error}")
    except OSError as error:
        output.discard()
        sys.exit(f"api: {output.describe(error)}")


def serve(environ: Mapping[str, str]) -> None:
    """Serve until SIGTERM; raises SettingsError."""
    app = create_app(environ)
    listening_socket = listener.open_socket(environ, "API_PORT", 3001)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_GRACE_SECONDS,
        # Longer than a reverse proxy keeps idle connections, so that it never sends into one that was just closed.
        timeout_keep_alive=75,
        lifespan="on",
    )
    _StreamClosingServer(config, app.state.broadcaster).run(sockets=[listening_socket])


if __name__ == "__main__":
    main()
