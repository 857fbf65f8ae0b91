"""A dashboard in front of a real API and database, and a reader in front of the dashboard."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.api.conftest import running_api
from tests.support.browser import BrowserUser, launched_chromium, open_browser_user
from tests.support.history_writer import API_TOKEN, HistoryWriter


@pytest.fixture
def history(database_url: str) -> HistoryWriter:
    return HistoryWriter(database_url)


@pytest.fixture
def api_url(database_url: str) -> Iterator[str]:
    with running_api({"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN}) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a module, not for longer: its event loop would be in the way of tests that run one of their own."""
    with launched_chromium() as found:
        yield found


@pytest.fixture
def browser_user(browser: Browser, api_url: str) -> Iterator[BrowserUser]:
    with open_browser_user(browser, api_url) as somebody:
        yield somebody
