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
from dev.embedded.servers import EmbeddedServers
from store.postgres import migrator

TEMPLATE_DATABASE = "migrated"
DATABASE_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    """This worker's PostgreSQL and Valkey; do not stop or kill them: a private one is two lines."""
    folder = data_folder.create_temporary()
    both = EmbeddedServers.ephemeral(folder)
    both.start()
    yield both
    both.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def template_database(servers: EmbeddedServers) -> str:
    """The name of a database with all migrations in it, which nobody connects to."""
    run_admin(servers, "CREATE DATABASE {}", TEMPLATE_DATABASE)
    migrator.migrate(servers.postgres.url_of(TEMPLATE_DATABASE))
    return TEMPLATE_DATABASE


@pytest.fixture
def database_url(servers: EmbeddedServers, template_database: str) -> Iterator[str]:
    """A fresh, migrated database of the test's own."""
    name = f"test_{next(DATABASE_NUMBERS)}"
    run_admin(servers, "CREATE DATABASE {} TEMPLATE {}", name, template_database)
    yield servers.postgres.url_of(name)
    run_admin(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def redis_url(servers: EmbeddedServers) -> str:
    """This worker's Valkey, emptied."""
    with redis.Redis.from_url(servers.valkey.url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        client.execute_command("FLUSHALL")  # pyright: ignore[reportUnknownMemberType] - *args
    return servers.valkey.url


def run_admin(servers: EmbeddedServers, statement: LiteralString, *names: str) -> None:
    with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
