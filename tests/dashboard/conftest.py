"""A dashboard in front of a real API and database, and a reader in front of the dashboard."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.api.conftest import serving
from tests.support.browser import Reader, chromium, reading
from tests.support.history_writer import TOKEN, History


@pytest.fixture
def history(database_url: str) -> History:
    return History(database_url)


@pytest.fixture
def api_url(database_url: str) -> Iterator[str]:
    with serving({"DATABASE_URL": database_url, "API_TOKEN": TOKEN}) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a module, not for longer: its event loop would be in the way of tests that run one of their own."""
    with chromium() as found:
        yield found


@pytest.fixture
def reader(browser: Browser, api_url: str) -> Iterator[Reader]:
    with reading(browser, api_url) as somebody:
        yield somebody
