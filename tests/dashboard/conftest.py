from collections.abc import Generator, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page

from dev.gateway.server import PretendGateway
from store.access import tokens
from store.postgres import connections
from tests.support.browser.browser import BrowserUser, SharedChromium, open_browser_user
from tests.support.browser.dashboard_actions import open_first_chat
from tests.support.history.history_writer import HistoryWriter, message_fact
from tests.support.processes.sending_api import ApiStarter


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Function, nextitem: pytest.Function | None) -> Generator[None]:
    """Close the browser unless the next test uses it, because the next test may run an event loop."""
    shared = item.funcargs.get("shared_chromium")
    try:
        yield
    finally:
        is_last = nextitem is None or "shared_chromium" not in nextitem.fixturenames
        if is_last and isinstance(shared, SharedChromium):
            shared.close()


@pytest.fixture(scope="session")
def shared_chromium() -> Iterator[SharedChromium]:
    with closing(SharedChromium()) as shared:
        yield shared


@pytest.fixture
def browser(shared_chromium: SharedChromium) -> Browser:
    return shared_chromium.launch()


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
        open_first_chat(somebody)
        yield somebody


def write(page: Page, text: str) -> None:
    page.get_by_label("Write a message").fill(text)
    page.keyboard.press("Enter")


@pytest.fixture
def reader_token(database_url: str) -> str:
    """A token with the scope for reading only."""
    with connections.open(database_url, "test") as connection:
        return tokens.create(connection, "reader", ["read"])
