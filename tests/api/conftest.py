"""The API as its clients meet it: served by uvicorn on loopback, on a database of the test's own."""

import contextlib
import socket
import threading
from collections.abc import Generator, Iterator, Mapping

import pytest
import requests
import uvicorn

from api.app import create_app
from api.gateway.timeouts import Timeouts
from tests.support.history_writer import API_TOKEN, ApiClient, HistoryWriter


@contextlib.contextmanager
def running_api(environ: Mapping[str, str], timeouts: Timeouts | None = None) -> Generator[str]:
    """The URL of an API that runs until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(environ, timeouts=timeouts)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def history(database_url: str) -> HistoryWriter:
    return HistoryWriter(database_url)


@pytest.fixture
def api_url(database_url: str) -> Iterator[str]:
    with running_api({"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN}) as url:
        yield url


@pytest.fixture
def client(api_url: str) -> Iterator[ApiClient]:
    with requests.Session() as http:
        http.headers["authorization"] = f"Bearer {API_TOKEN}"
        yield ApiClient(api_url, http)
