"""Tests what a dashboard without chats shows until the first message."""

from playwright.sync_api import expect

from tests.support.browser.browser import BrowserUser
from tests.support.history.history_writer import HistoryWriter, message_fact


def test_an_empty_dashboard_says_how_to_connect_a_gateway(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """This also holds if the api does not know the address of ingest. The page disappears with the first chat."""
    page = browser_user.sign_in()
    expect(page.get_by_role("heading", name="Waiting for the first message")).to_be_visible()
    main = page.get_by_role("main")
    expect(main).to_contain_text("POST /whatsapp-webhook")
    expect(main).to_contain_text("needs these variables to send one: INGEST_URL, TEST_EVENT_SECRET")
    expect(main).to_contain_text("api sak register --url")
    page.set_viewport_size({"width": 375, "height": 800})
    page.get_by_role("link", name="How to connect a gateway").click()
    expect(page.get_by_role("heading", name="Waiting for the first message")).to_be_visible()
    browser_user.save_screenshot("start-narrow")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{browser_user.url}/#/")
    history.store(message_fact())

    expect(page.locator("a.chat")).to_have_count(1)
    expect(page.get_by_role("heading", name="Choose a chat")).to_be_visible()
