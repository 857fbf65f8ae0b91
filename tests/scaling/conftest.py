import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.embedded import data_folder
from dev.embedded.postgres import ROLE
from dev.embedded.servers import Servers
from tests.conftest import execute
from tests.support import pgbouncer

NUMBERS = itertools.count(1)


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory if there is room, and where PostgreSQL's user can go."""
    path = data_folder.temporary()
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def pooler(servers: Servers) -> Iterator[int]:
    """The port of a PgBouncer in transaction mode before this worker's PostgreSQL."""
    path = data_folder.temporary()
    with pgbouncer.before(servers.postgres, path) as port:
        yield port
    shutil.rmtree(path)


@pytest.fixture
def direct_url(servers: Servers, migrated: str) -> Iterator[str]:
    """A fresh, migrated database of the test's own, without a pooler."""
    name = f"scaling_{next(NUMBERS)}"
    execute(servers, "CREATE DATABASE {} TEMPLATE {}", name, migrated)
    yield servers.postgres.url_of(name)
    execute(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def pooled_url(pooler: int, direct_url: str) -> str:
    """The same database through PgBouncer."""
    name = direct_url.partition("?")[0].rpartition("/")[2]
    return f"postgresql://{ROLE}@127.0.0.1:{pooler}/{name}"
