import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.embedded.servers import EmbeddedServers
from tests.support.history.erasure_scenario import ErasureScenario
from tests.support.servers.databases import COPY_DATABASE, run_admin


@pytest.fixture
def second_database_url(servers: EmbeddedServers, template_database: str) -> Iterator[str]:
    """The URL of a second database, in which a correct parser stored the history from the start."""
    name = f"another_{uuid.uuid4().hex}"
    run_admin(servers, COPY_DATABASE, name, template_database)
    yield servers.postgres.url_of(name)
    run_admin(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def erasure_scenario(database_url: str, tmp_path: Path) -> ErasureScenario:
    return ErasureScenario(database_url, tmp_path)
