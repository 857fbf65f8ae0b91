"""Serves the API to tests: uvicorn on a free port of the loopback interface, beside the indexer of a worker."""

import contextlib
import socket
import threading
from collections.abc import Generator, Mapping

import uvicorn

from api.app import create_app
from api.gateway.timeouts import Timeouts
from worker.housekeeping.indexer import Indexer


@contextlib.contextmanager
def running_api(environ: Mapping[str, str], timeouts: Timeouts | None = None) -> Generator[str]:
    """The URL of an API that runs until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(environ, timeouts=timeouts)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    indexer = Indexer(environ.get("DIRECT_DATABASE_URL") or environ["DATABASE_URL"])
    indexer.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        indexer.stop()
        server.should_exit = True
        thread.join()
        listener.close()
