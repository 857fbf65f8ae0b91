"""Defines the fixtures for every test: one PostgreSQL and one Valkey per xdist worker, and databases on them."""

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import psycopg_pool.base
import pytest
import redis
import requests

from api.gateway.timeouts import Timeouts
from dev.embedded.servers import EmbeddedServers
from dev.gateway.server import PretendGateway
from store.postgres import migrator
from tests.support import leftover_threads, requirements
from tests.support.history.history_writer import API_TOKEN, ApiClient, HistoryWriter
from tests.support.processes.api_server import ApiServers
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.processes.sending_api import FAST_TIMEOUTS, ApiStarter
from tests.support.servers.databases import DatabasePool, lend_empty_database, run_admin
from tests.support.servers.server_folder import temporary_server_folder

# Hypothesis replays a test with the same state of `random`. The pool of an API that keeps running must not advance it.
psycopg_pool.base.random = Random().random  # pyright: ignore[reportPrivateImportUsage]
os.environ.setdefault("WORKER_NICE", "0")  # several tests share the processors, and each waits for its worker

TEMPLATE_DATABASE = "migrated"
KEPT_APIS = {"api_url", "lend_api"}
"""The fixtures whose APIs keep running between tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the slowest tests first, because the test that starts last decides when the run ends."""
    items.sort(key=lambda item: item.get_closest_marker("early") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Check the requirements of the test before its fixtures start anything."""
    for mark in item.iter_markers("requires"):
        requirements.require(*mark.args)


@pytest.fixture(autouse=True)
def _no_thread_outlives_its_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose threads disturb the tests after it, unless its API is kept for them."""
    before = set(threading.enumerate())
    yield
    if KEPT_APIS.isdisjoint(request.fixturenames):
        assert leftover_threads.wait_for_end(before) == []


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    """The PostgreSQL and the Valkey of this xdist worker. A test that stops a server starts its own."""
    with temporary_server_folder() as folder:
        both = EmbeddedServers.ephemeral(folder)
        both.start()
        yield both
        both.stop()


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """A folder for the servers that a test starts, which PostgreSQL can enter even if the tests run as root."""
    with temporary_server_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def template_database(servers: EmbeddedServers) -> str:
    """The name of a migrated database to copy; nothing connects to it."""
    run_admin(servers, "CREATE DATABASE {}", TEMPLATE_DATABASE)
    migrator.migrate(servers.postgres.url_of(TEMPLATE_DATABASE))
    return TEMPLATE_DATABASE


@pytest.fixture(scope="session")
def api_servers() -> Iterator[ApiServers]:
    """The APIs that tests start on their databases. Those of `api_databases` and `sending_databases` keep running."""
    with ApiServers() as apis:
        yield apis


@pytest.fixture(scope="session")
def databases(servers: EmbeddedServers, template_database: str, api_servers: ApiServers) -> DatabasePool:
    """The pool of migrated databases for tests."""
    return DatabasePool(servers, template_database, api_servers.stop)


@pytest.fixture(scope="session")
def api_databases(servers: EmbeddedServers, template_database: str, api_servers: ApiServers) -> DatabasePool:
    """A pool of migrated databases whose APIs keep running between tests."""
    return DatabasePool(servers, template_database, api_servers.stop, keeps_apis=True)


@pytest.fixture(scope="session")
def sending_databases(servers: EmbeddedServers, template_database: str, api_servers: ApiServers) -> DatabasePool:
    """A separate pool for APIs that send, because they change sends in the background."""
    return DatabasePool(servers, template_database, api_servers.stop, keeps_apis=True)


@pytest.fixture
def database_url(
    request: pytest.FixtureRequest,
    servers: EmbeddedServers,
    databases: DatabasePool,
    api_databases: DatabasePool,
    sending_databases: DatabasePool,
) -> Iterator[str]:
    """The URL of a migrated database for one test."""
    pool = databases
    if "lend_api" in request.fixturenames:
        pool = sending_databases
    elif "api_url" in request.fixturenames:
        pool = api_databases
    with pool.lend() as name:
        yield servers.postgres.url_of(name)


@pytest.fixture
def redis_url(servers: EmbeddedServers) -> str:
    """The URL of this xdist worker's Valkey, which is empty."""
    with redis.Redis.from_url(servers.valkey.url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        client.execute_command("FLUSHALL")  # pyright: ignore[reportUnknownMemberType] - *args
    return servers.valkey.url


@pytest.fixture
def make_pipeline(
    servers: EmbeddedServers, databases: DatabasePool, redis_url: str, tmp_path: Path
) -> Iterator[Callable[..., WorkerPipeline]]:
    """A function that makes pipelines, each with a database and a Redis database. `empty` ones have no tables."""
    numbers = itertools.count()
    with ExitStack() as stack:

        def make(*, empty: bool = False) -> WorkerPipeline:
            name = stack.enter_context(lend_empty_database(servers) if empty else databases.lend())
            url = redis_url.replace("db=0", f"db={next(numbers)}")
            pipeline = WorkerPipeline(servers.postgres.url_of(name), url, tmp_path)
            stack.callback(pipeline.close)
            return pipeline

        yield make


@pytest.fixture
def pipeline(make_pipeline: Callable[..., WorkerPipeline]) -> WorkerPipeline:
    return make_pipeline()


@pytest.fixture
def history(database_url: str) -> HistoryWriter:
    return HistoryWriter(database_url)


@pytest.fixture
def api_url(database_url: str, api_servers: ApiServers) -> str:
    """The URL of an API on the database of the test. Earlier tests used the same API."""
    return api_servers.url(database_url)


@pytest.fixture(scope="session")
def running_gateway() -> Iterator[PretendGateway]:
    with PretendGateway() as running:
        yield running


@pytest.fixture
def gateway(running_gateway: PretendGateway) -> Iterator[PretendGateway]:
    """A pretend SAK that retains nothing from other tests."""
    yield running_gateway
    running_gateway.reset()


@pytest.fixture
def lend_api(database_url: str, gateway: PretendGateway, api_servers: ApiServers) -> Iterator[ApiStarter]:
    """A function that returns an API with the given timeouts, which sends through `gateway` and is reused."""
    # The reader of SAK's list would write to the database between two tests.
    variables = gateway.account.to_environ(gateway.base_url) | {"SAK_HISTORY_SECONDS": "0"}
    with requests.Session() as http:
        http.headers["authorization"] = f"Bearer {API_TOKEN}"

        def lend(timeouts: Timeouts = FAST_TIMEOUTS) -> ApiClient:
            return ApiClient(api_servers.url(database_url, timeouts, **variables), http)

        yield lend
