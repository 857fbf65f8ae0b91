"""Tests that the list misses no message while the page loads."""

from playwright.sync_api import Route, expect

from tests.support.browser.browser import BrowserUser
from tests.support.browser.dashboard_actions import phone_number
from tests.support.history.history_writer import HistoryWriter, message_fact


def test_a_list_that_is_older_than_the_stream_keeps_a_new_chat(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """The stream reports a chat that the response, which was already under way, does not contain."""
    history.store(message_fact("old", address=phone_number(1)))
    page = browser_user.page

    def answer_late(route: Route) -> None:
        response = route.fetch()
        history.store(message_fact("new", address=phone_number(2)))
        expect(page.locator("a.chat", has_text="new")).to_be_visible()
        route.fulfill(response=response)

    page.route("**/api/chats?*", answer_late, times=1)
    browser_user.sign_in()

    expect(page.locator("a.chat")).to_contain_text(["new", "old"])


def test_a_message_before_the_stream_begins_is_in_the_list(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """The list is requested after the stream has its position."""

    def delay(route: Route) -> None:
        history.store(message_fact("new", address=phone_number(1)))
        route.continue_()

    page = browser_user.page
    page.route("**/api/stream*", delay, times=1)
    browser_user.sign_in()

    expect(page.locator("a.chat")).to_have_count(1)
