import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.valkey import EmbeddedValkey
from store.postgres import connections, migrator
from store.retention import partitions
from tests.support.processes.examined_system import ExaminedSystem
from tests.support.servers.server_folder import temporary_server_folder

DATABASE_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def doctor_servers() -> Iterator[tuple[EmbeddedPostgres, EmbeddedValkey]]:
    """The servers. They run with fsync, which the doctor requires."""
    with (
        temporary_server_folder() as folder,
        EmbeddedPostgres(folder / "postgres", settings={"max_connections": "24"}) as postgres,
        EmbeddedValkey(folder / "v") as valkey,
    ):
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE healthy")
        migrator.migrate(postgres.url_of("healthy"))
        with connections.open(postgres.url_of("healthy"), "test") as worker:
            partitions.create_missing(worker)  # as a worker does in its first minute
        yield postgres, valkey


@pytest.fixture
def examined_system(
    doctor_servers: tuple[EmbeddedPostgres, EmbeddedValkey], tmp_path: Path
) -> Iterator[ExaminedSystem]:
    postgres, valkey = doctor_servers
    name = f"examined_{next(DATABASE_NUMBERS)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE healthy").format(sql.Identifier(name)))
        system = ExaminedSystem(postgres.url_of(name), valkey, tmp_path)
        system.redis.flushall()
        system.record_stream_status()
        yield system
        system.redis.close()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
