from collections.abc import Iterator

import pytest

from store.postgres import connections
from tests.support.generated_history.database import Memory


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with connections.open(database_url, "convergence") as connection:
        yield Memory(connection)
