import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from dev.embedded.servers import EmbeddedServers
from tests.support.erasure_scenario import ErasureScenario


@pytest.fixture
def second_database_url(servers: EmbeddedServers, template_database: str) -> Iterator[str]:
    """A second database in which a correct parser folded the history from the start."""
    name = sql.Identifier(f"another_{uuid.uuid4().hex}")
    with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template_database)))
        yield servers.postgres.url_of(name.as_string().strip('"'))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def erasure_scenario(database_url: str, tmp_path: Path) -> ErasureScenario:
    return ErasureScenario(database_url, tmp_path)
