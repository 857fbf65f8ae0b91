"""Provides a ledger in a database of its own."""

from collections.abc import Iterator

import pytest

from store.postgres import connections
from tests.support.history.ledger_scene import LedgerScene


@pytest.fixture
def scene(database_url: str) -> Iterator[LedgerScene]:
    with connections.open(database_url, "test") as connection:
        yield LedgerScene(connection)
