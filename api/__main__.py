"""`python -m api`: serves the HTTP API until SIGTERM; `token …` manages API tokens, `sak …` calls the gateway."""

import argparse
import os
import socket
import sys

import uvicorn

from api import listener as api_listener
from api.app import create_app
from api.commands import sak, tokens
from api.live.broadcaster import Broadcaster
from api.settings import SettingsError
from telemetry import errors, logs

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
    try:
        logs.configure("api", os.environ)
    except errors.SettingsError as error:
        sys.exit(f"api: {error}")
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    commands = parser.add_subparsers(dest="group")
    tokens.add_parser(commands)
    sak.add_parser(commands)
    arguments = parser.parse_args()
    if arguments.group == "token":
        print(tokens.run(arguments, os.environ))
    elif arguments.group == "sak":
        sys.exit(sak.run(arguments, os.environ))
    else:
        serve()


def serve() -> None:
    try:
        app = create_app(os.environ)
        listener = api_listener.open_socket(os.environ)
    except SettingsError as error:
        sys.exit(f"api: {error}")
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
    _StreamClosingServer(config, app.state.broadcaster).run(sockets=[listener])


if __name__ == "__main__":
    main()
