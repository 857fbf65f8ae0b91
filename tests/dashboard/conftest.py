"""A dashboard in front of a real API; browsers come from tests/dashboard/browsers.py."""

from collections.abc import Iterator

import pytest

from tests.api.conftest import serving
from tests.api.history import TOKEN, History


@pytest.fixture
def history(database_url: str) -> History:
    return History(database_url)


@pytest.fixture
def api_url(database_url: str) -> Iterator[str]:
    with serving({"DATABASE_URL": database_url, "API_TOKEN": TOKEN}) as url:
        yield url
