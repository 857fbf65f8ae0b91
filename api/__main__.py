"""`python -m api`: serve conversations until SIGTERM."""

import logging
import os
import sys

import uvicorn

from api import listen
from api.app import create_app
from api.settings import SettingsError

_LAST_WORDS = 5
"""Seconds that open requests have when the process is asked to end."""


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s api %(levelname)s %(message)s")
    serve()


def serve() -> None:
    try:
        app = create_app(os.environ)
        listener = listen.open_socket(os.environ)
    except SettingsError as error:
        sys.exit(f"api: {error}")
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_WORDS,
        lifespan="on",
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
