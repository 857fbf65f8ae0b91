"""Serves the API to tests: uvicorn on a free port of the loopback interface, beside the indexer of a worker."""

import contextlib
import socket
import threading
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import Self

import uvicorn

from api.app import create_app
from api.gateway.timeouts import Timeouts
from tests.support.history_writer import API_TOKEN
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


class ApiServers:
    """APIs that run until they are stopped, one for each database."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[str, contextlib.ExitStack]] = {}

    def url(self, database_url: str) -> str:
        """The URL of the API on the database, which starts if it does not run."""
        if database_url not in self._running:
            stack = contextlib.ExitStack()
            url = stack.enter_context(running_api({"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN}))
            self._running[database_url] = url, stack
        return self._running[database_url][0]

    def stop(self, database_url: str) -> None:
        """Stop the API on the database if it runs."""
        _, stack = self._running.pop(database_url, ("", contextlib.ExitStack()))
        stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for database_url in [*self._running]:
            self.stop(database_url)
