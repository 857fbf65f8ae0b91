from collections.abc import Iterator

import pytest

from store.postgres import connections
from tests.support.generated_history.database import AccountDatabase, HistoryDatabase


@pytest.fixture
def history_database(database_url: str) -> Iterator[HistoryDatabase]:
    with connections.open(database_url, "convergence") as connection:
        yield HistoryDatabase(connection)


@pytest.fixture
def account_database(database_url: str) -> Iterator[AccountDatabase]:
    with connections.open(database_url, "convergence") as connection:
        yield AccountDatabase(connection)
