from collections.abc import Iterator

import pytest

from store import connect
from tests.convergence.memory import Memory


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with connect.open(database_url, "convergence") as connection:
        yield Memory(connection)
