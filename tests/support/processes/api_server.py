"""Serves the API to tests on a free port of the loopback interface, beside the indexer of a worker."""

import contextlib
import socket
import threading
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import Self, TypeAlias

from api.app import create_app, create_server
from api.gateway.timeouts import Timeouts
from http_server.server import listen_fairly
from tests.support.history.history_writer import API_TOKEN
from worker.housekeeping.indexer import Indexer

_Configuration: TypeAlias = tuple[Timeouts | None, tuple[tuple[str, str], ...]]


@contextlib.contextmanager
def running_api(environ: Mapping[str, str], timeouts: Timeouts | None = None) -> Generator[str]:
    """Run an API until the block ends, and yield its URL. `{url}` in a variable stands for this URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = create_app({name: value.replace("{url}", url) for name, value in environ.items()}, timeouts=timeouts)
    server = create_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": listen_fairly(listener)})
    thread.start()
    indexer = Indexer(environ.get("DIRECT_DATABASE_URL") or environ["DATABASE_URL"])
    indexer.start()
    try:
        yield url
    finally:
        indexer.stop()
        server.should_exit = True
        thread.join()
        listener.close()


class ApiServers:
    """APIs that run until they are stopped, one for each combination of database, timeouts and environment."""

    def __init__(self) -> None:
        self._running: dict[str, dict[_Configuration, tuple[str, contextlib.ExitStack]]] = {}

    def url(self, database_url: str, timeouts: Timeouts | None = None, **variables: str) -> str:
        """Return the URL of an API on the database. Start the API if it does not run."""
        running = self._running.setdefault(database_url, {})
        configuration = timeouts, tuple(variables.items())
        if configuration not in running:
            stack = contextlib.ExitStack()
            environ = {"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, **variables}
            running[configuration] = stack.enter_context(running_api(environ, timeouts)), stack
        return running[configuration][0]

    def stop(self, database_url: str) -> None:
        """Stop the APIs on the database."""
        for _, stack in self._running.pop(database_url, {}).values():
            stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for database_url in [*self._running]:
            self.stop(database_url)
