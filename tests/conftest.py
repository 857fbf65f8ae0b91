"""Fixtures for every test: one PostgreSQL and one Valkey per xdist worker, and databases on them."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from dev.embedded import data_folder
from dev.embedded.servers import EmbeddedServers
from store.postgres import migrator
from tests.support.api_server import running_api
from tests.support.databases import run_admin
from tests.support.history_writer import API_TOKEN, HistoryWriter
from tests.support.pipeline import WorkerPipeline

TEMPLATE_DATABASE = "migrated"
DATABASE_NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the slowest tests first: with several workers, the last test to start decides when the run ends."""
    items.sort(key=lambda item: item.get_closest_marker("early") is None)


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    """The PostgreSQL and the Valkey of this xdist worker; a test that stops one starts its own."""
    folder = data_folder.create_temporary()
    both = EmbeddedServers.ephemeral(folder)
    both.start()
    yield both
    both.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def template_database(servers: EmbeddedServers) -> str:
    """The name of a migrated database to copy; nothing connects to it."""
    run_admin(servers, "CREATE DATABASE {}", TEMPLATE_DATABASE)
    migrator.migrate(servers.postgres.url_of(TEMPLATE_DATABASE))
    return TEMPLATE_DATABASE


@pytest.fixture
def database_url(servers: EmbeddedServers, template_database: str) -> Iterator[str]:
    """A migrated database for one test."""
    name = f"test_{next(DATABASE_NUMBERS)}"
    run_admin(servers, "CREATE DATABASE {} TEMPLATE {}", name, template_database)
    yield servers.postgres.url_of(name)
    run_admin(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def redis_url(servers: EmbeddedServers) -> str:
    """The Valkey of this xdist worker, emptied."""
    with redis.Redis.from_url(servers.valkey.url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        client.execute_command("FLUSHALL")  # pyright: ignore[reportUnknownMemberType] - *args
    return servers.valkey.url


@pytest.fixture
def make_pipeline(
    servers: EmbeddedServers, template_database: str, redis_url: str, tmp_path: Path
) -> Iterator[Callable[..., WorkerPipeline]]:
    """Makes pipelines, each with a database and a Redis database of its own; `empty` ones have no table."""
    databases: list[tuple[str, WorkerPipeline]] = []

    def make(*, empty: bool = False) -> WorkerPipeline:
        name = f"pipeline_{next(DATABASE_NUMBERS)}"
        if empty:
            run_admin(servers, "CREATE DATABASE {}", name)
        else:
            run_admin(servers, "CREATE DATABASE {} TEMPLATE {}", name, template_database)
        url = redis_url.replace("db=0", f"db={len(databases)}")
        databases.append((name, WorkerPipeline(servers.postgres.url_of(name), url, tmp_path)))
        return databases[-1][1]

    yield make
    for name, pipeline in databases:
        pipeline.close()
        run_admin(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def pipeline(make_pipeline: Callable[..., WorkerPipeline]) -> WorkerPipeline:
    return make_pipeline()


@pytest.fixture
def history(database_url: str) -> HistoryWriter:
    return HistoryWriter(database_url)


@pytest.fixture
def api_url(database_url: str) -> Iterator[str]:
    """The URL of an API on the database of the test."""
    with running_api({"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN}) as url:
        yield url
