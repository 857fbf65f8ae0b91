from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from dev.gateway.server import PretendGateway
from store.access import tokens
from store.postgres import connections
from tests.support.browser import BrowserUser, launched_chromium, open_browser_user
from tests.support.history_writer import HistoryWriter, message_fact
from tests.support.sending_api import ApiStarter


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser for this folder. Its event loop would conflict with tests that run an event loop."""
    with launched_chromium() as browser:
        yield browser


@pytest.fixture
def browser_user(browser: Browser, api_url: str) -> Iterator[BrowserUser]:
    with open_browser_user(browser, api_url) as user:
        yield user


@pytest.fixture
def writer(
    browser: Browser, gateway: PretendGateway, lend_api: ApiStarter, history: HistoryWriter
) -> Iterator[BrowserUser]:
    """A user with an open conversation, on an API that has a gateway."""
    session = gateway.account.session_id
    history.store(message_fact("Do you have this in stock?"), session=session)
    history.execute("UPDATE whatsapp_messages SET unread = false")
    with open_browser_user(browser, lend_api().url) as somebody:
        somebody.sign_in().locator("a.chat").click()
        yield somebody


def write(page: Page, text: str) -> None:
    page.get_by_label("Write a message").fill(text)
    page.keyboard.press("Enter")


@pytest.fixture
def reader_token(database_url: str) -> str:
    """A token with the scope for reading only."""
    with connections.open(database_url, "test") as connection:
        return tokens.create(connection, "reader", ["read"])
