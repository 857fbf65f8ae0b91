from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import BrowserUser, launched_chromium, open_browser_user


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One per module: its event loop would conflict with tests that run an event loop."""
    with launched_chromium() as browser:
        yield browser


@pytest.fixture
def browser_user(browser: Browser, api_url: str) -> Iterator[BrowserUser]:
    with open_browser_user(browser, api_url) as user:
        yield user
