import itertools
from collections.abc import Iterator

import pytest

from dev.embedded.postgres import ROLE
from dev.embedded.servers import EmbeddedServers
from tests.support.servers import pgbouncer
from tests.support.servers.databases import COPY_DATABASE, run_admin
from tests.support.servers.server_folder import temporary_server_folder

DATABASE_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def pgbouncer_port(servers: EmbeddedServers) -> Iterator[int]:
    """The port of a PgBouncer in transaction mode in front of this worker's PostgreSQL."""
    with temporary_server_folder() as folder, pgbouncer.running(servers.postgres, folder) as port:
        yield port


@pytest.fixture
def direct_url(servers: EmbeddedServers, template_database: str) -> Iterator[str]:
    """The URL of a new, migrated database for the test, without a pooler."""
    name = f"scaling_{next(DATABASE_NUMBERS)}"
    run_admin(servers, COPY_DATABASE, name, template_database)
    yield servers.postgres.url_of(name)
    run_admin(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def pgbouncer_url(pgbouncer_port: int, direct_url: str) -> str:
    """The URL of the same database through PgBouncer."""
    name = direct_url.partition("?")[0].rpartition("/")[2]
    return f"postgresql://{ROLE}@127.0.0.1:{pgbouncer_port}/{name}"
