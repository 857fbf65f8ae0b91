"""Tests that the page shows since when it may be outdated, and that it recovers by itself."""

import time

import pytest
from playwright.sync_api import expect

from tests.support.browser import BrowserUser
from tests.support.dashboard_actions import phone_number
from tests.support.history_writer import HistoryWriter, message_fact

_HIDE = """() => {
    Object.defineProperty(document, "hidden", { get: () => true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_page_without_a_connection_says_since_when_and_every_view_opens(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """The code of each view was loaded before, and its data is loaded when the connection returns."""
    history.store(message_fact("one", address=phone_number(1)), message_fact("two", 1, address=phone_number(2)))
    page = browser_user.sign_in()
    page.locator("a.chat", has_text="one").click()
    expect(page.locator(".said")).to_have_text("one")
    notice = page.locator(".notice")
    expect(notice).to_be_hidden()
    browser_user.context.set_offline(True)
    expect(notice).to_contain_text("No connection since")
    expect(notice.locator("time")).not_to_be_empty()
    page.get_by_label("Operations").click()
    expect(page.get_by_role("heading", name="Operations")).to_be_visible()
    page.locator("a.chat", has_text="two").click()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()

    history.store(message_fact("meanwhile", 2, address=phone_number(2)))
    browser_user.context.set_offline(False)
    expect(notice).to_be_hidden()
    expect(page.locator(".said")).to_have_text(["two", "meanwhile"])


@pytest.mark.long
def test_a_hidden_page_counts_in_its_title(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """A page closes its stream when it was hidden for a minute, but the title of its tab stays visible."""
    history.store(message_fact("one", address=phone_number(1)))
    page = browser_user.page
    page.clock.install()
    browser_user.sign_in()
    expect(page).to_have_title("(1) History")
    page.evaluate(_HIDE)
    page.clock.run_for(61_000)
    history.store(message_fact("two", address=phone_number(2)))
    page.clock.run_for(61_000)

    expect(page).to_have_title("(2) History")


@pytest.mark.long
def test_a_reader_without_the_right_to_mark_does_not_try(
    browser_user: BrowserUser, history: HistoryWriter, reader_token: str
) -> None:
    """Each refused request would be an error in a log."""
    history.store(*(message_fact(f"line {number}", number) for number in range(3)))
    refused: list[str] = []
    browser_user.page.on("response", lambda response: refused.append(response.url) if response.status == 403 else None)
    page = browser_user.sign_in(reader_token)
    page.locator("a.chat").click()
    expect(page.locator(".said")).to_have_count(3)
    time.sleep(1.5)

    assert refused == []
    expect(page.locator(".badge")).to_be_visible()
