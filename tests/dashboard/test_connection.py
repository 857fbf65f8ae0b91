"""Tests that the page shows since when it may be outdated, and that it recovers by itself."""

import time

import pytest
from playwright.sync_api import expect

from store.access import tokens
from store.postgres import connections
from tests.support.browser.browser import BrowserUser
from tests.support.browser.dashboard_actions import phone_number
from tests.support.history.history_writer import HistoryWriter, message_fact

_SHOW = """(visibility) => {
    Object.defineProperty(document, "hidden", { get: () => visibility === "hidden", configurable: true });
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
    """A page closes its stream when it was hidden for a minute, but the title of its tab stays visible.

    Once the page is visible again, its numbers are new within seconds.
    """
    history.store(message_fact("one", address=phone_number(1)))
    page = browser_user.page
    page.clock.install()
    browser_user.sign_in()
    expect(page).to_have_title("(1) History")
    page.goto(f"{browser_user.url}/#/today")
    unread = page.locator(".figures .card", has_text="Unread now")
    expect(unread).to_contain_text("1")
    page.evaluate(_SHOW, "hidden")
    page.clock.run_for(61_000)
    history.store(message_fact("two", address=phone_number(2)))
    page.clock.run_for(61_000)

    expect(page).to_have_title("(2) Today · History")
    page.evaluate(_SHOW, "visible")
    page.clock.run_for(6000)
    expect(unread).to_contain_text("2")


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


@pytest.mark.long
def test_a_token_of_one_session_asks_for_nothing_that_is_refused(
    browser_user: BrowserUser, history: HistoryWriter, database_url: str
) -> None:
    """The ledger, the audit log and the test event are about all sessions."""
    history.store(message_fact("hello"))
    with connections.open(database_url, "test") as connection:
        token = tokens.create(connection, "shop", ["read", "write", "admin"], session_ids=["s1"])
    refused: list[str] = []
    browser_user.page.on("response", lambda response: refused.append(response.url) if response.status == 403 else None)
    page = browser_user.sign_in(token)
    page.goto(f"{browser_user.url}/#/start")
    expect(page.get_by_text("requires the scope admin and all sessions")).to_be_visible()
    page.goto(f"{browser_user.url}/#/people")
    expect(page.get_by_role("row", name="shop")).to_be_visible()
    expect(page.get_by_role("heading", name="What was done")).to_have_count(0)
    page.goto(f"{browser_user.url}/#/operations")
    expect(page.get_by_role("region", name="Sessions").get_by_role("row", name="Session 1")).to_be_visible()
    expect(page.get_by_role("heading", name="What became of every event")).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)

    assert refused == []
