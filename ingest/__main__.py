"""`python -m ingest`: serves webhooks until SIGTERM."""

import gc
import os
import sys

from environment import listener, variables
from http_server import server
from http_server.server import BoundedServer
from ingest.app import create_app
from telemetry import logs
from telemetry.errors import SettingsError


def main() -> None:
    if sys.argv[1:]:
        usage = "usage: python -m ingest   serve webhooks until SIGTERM; the settings are environment variables"
        if sys.argv[1] not in {"-h", "--help"}:
            print(usage, file=sys.stderr)
            sys.exit(2)
        print(usage)
        return
    environ = variables.of_process(os.environ)
    try:
        logs.configure("ingest", environ)
        app = create_app(environ)
        socket = listener.open_socket(environ, "INGEST_PORT", 3000)
    except SettingsError as error:
        print(f"ingest: {error}", file=sys.stderr)
        sys.exit(2)
    # The objects created so far live as long as the process. Collecting garbage over them took 20 ms, five times a
    # second under load.
    gc.collect()
    gc.freeze()
    server.serve(BoundedServer(app, app.state.connections, direct=app.state.direct), socket)


if __name__ == "__main__":
    main()
