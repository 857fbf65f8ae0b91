import uuid
from collections.abc import Iterator

import pytest

from dev.embedded.servers import Servers
from store.postgres import connections
from tests.conftest import execute
from tests.support.generated_history import batches


@pytest.fixture
def empty_url(servers: Servers) -> Iterator[str]:
    """A database with nothing in it."""
    name = f"empty_{uuid.uuid4().hex}"
    execute(servers, "CREATE DATABASE {}", name)
    yield servers.postgres.url_of(name)
    execute(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def told(database_url: str) -> str:
    """A database with a history in it."""
    with connections.open(database_url, "test") as connection:
        for batch in batches.told(150):
            batches.keep(connection, [batch])
    return database_url
