"""Real servers for the tests: one PostgreSQL and one Valkey per xdist worker, gone with it."""

import itertools
import shutil
from collections.abc import Iterator
from typing import LiteralString

import psycopg
import pytest
import redis
from psycopg import sql

from dev.embedded import data_folder
from dev.embedded.servers import Servers
from store.postgres import migrator

TEMPLATE = "migrated"
COUNTER = itertools.count(1)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """This worker's PostgreSQL and Valkey; do not stop or kill them: a private one is two lines."""
    folder = data_folder.temporary()
    both = Servers.ephemeral(folder)
    both.start()
    yield both
    both.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def migrated(servers: Servers) -> str:
    """The name of a database with all migrations in it, which nobody connects to."""
    execute(servers, "CREATE DATABASE {}", TEMPLATE)
    migrator.migrate(servers.postgres.url_of(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(servers: Servers, migrated: str) -> Iterator[str]:
    """A fresh, migrated database of the test's own."""
    name = f"test_{next(COUNTER)}"
    execute(servers, "CREATE DATABASE {} TEMPLATE {}", name, migrated)
    yield servers.postgres.url_of(name)
    execute(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """This worker's Valkey, emptied."""
    with redis.Redis.from_url(servers.valkey.url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        client.execute_command("FLUSHALL")  # pyright: ignore[reportUnknownMemberType] - *args
    return servers.valkey.url


def execute(servers: Servers, statement: LiteralString, *names: str) -> None:
    with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
