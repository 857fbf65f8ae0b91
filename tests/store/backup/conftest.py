import uuid
from collections.abc import Iterator

import pytest

from dev.embedded.servers import EmbeddedServers
from store.postgres import connections
from tests.support.generated_history import batches
from tests.support.servers.databases import run_admin


@pytest.fixture
def empty_url(servers: EmbeddedServers) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"empty_{uuid.uuid4().hex}"
    run_admin(servers, "CREATE DATABASE {}", name)
    yield servers.postgres.url_of(name)
    run_admin(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def populated_url(database_url: str) -> str:
    """The URL of a database with a history."""
    with connections.open(database_url, "test") as connection:
        for batch in batches.generate_batches(150):
            batches.store_batches(connection, [batch])
    return database_url
