"""Tests signing in and out in a browser."""

import re

import pytest
from playwright.sync_api import Browser, expect

from store.access import tokens
from store.postgres import connections
from tests.support.browser.browser import BrowserUser, open_browser_user
from tests.support.history.history_writer import API_TOKEN, HistoryWriter, message_fact, name_fact


def test_the_link_signs_in_and_leaves_no_token_behind(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """A person who sees the screen or goes back in the history must not obtain the token."""
    history.store(message_fact("hello"))
    page = browser_user.page
    page.goto("about:blank")
    page.goto(f"{browser_user.url}/#token={API_TOKEN}")
    expect(page.locator("a.chat")).to_have_count(1)
    stored = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")

    assert page.url == f"{browser_user.url}/"
    assert API_TOKEN not in stored
    page.go_back()
    page.go_forward()
    assert page.url == f"{browser_user.url}/"
    expect(page.locator("a.chat")).to_have_count(1)


@pytest.mark.long
def test_the_same_link_works_again_and_again(browser_user: BrowserUser) -> None:
    browser_user.sign_in()
    browser_user.page.goto("about:blank")
    browser_user.sign_in()

    expect(browser_user.page.get_by_text("No chats yet")).to_be_visible()


def test_a_wrong_token_is_told_so_and_a_right_one_opens(browser_user: BrowserUser) -> None:
    page = browser_user.page
    page.goto(browser_user.url)
    page.get_by_label("Token").fill("not this one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("This token is not valid.")
    page.get_by_label("Token").fill(API_TOKEN)
    page.get_by_label("Token").press("Enter")

    expect(page.get_by_role("heading", name="Waiting for the first message")).to_be_visible()


def test_signing_out_closes_the_door(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """The title of the tab then names no chat."""
    history.store(message_fact("hello"), name_fact("Asha"))
    page = browser_user.sign_in()
    page.locator("a.chat").click()
    expect(page).to_have_title(re.compile("Asha"))
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    expect(page).to_have_title("History")
    page.reload()

    expect(page.get_by_label("Token")).to_be_visible()


def test_signing_out_without_a_connection_is_refused(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """The page would sign in again by itself, when whoever signed out has left."""
    history.store(message_fact("hello"))
    page = browser_user.sign_in()
    expect(page.locator("a.chat")).to_be_visible()
    browser_user.context.set_offline(True)
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Sign out").click()

    expect(page.locator(".toast")).to_have_text("The server does not answer.")
    expect(page.locator("a.chat")).to_be_visible()


def test_a_sign_in_that_ended_elsewhere_shows_the_door(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """The cookie is gone, but the page is still open. After the next request it shows a message."""
    history.store(message_fact("hello"))
    page = browser_user.sign_in()
    page.locator("a.chat").wait_for()
    browser_user.context.clear_cookies()
    page.locator("a.chat").click()

    expect(page.get_by_role("alert")).to_contain_text("You are signed out")


def test_a_sign_in_that_ended_closes_the_open_dialog(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """Otherwise, the details of a message would stay on the screen, and nobody could enter a token below them."""
    history.store(message_fact("hello"))
    page = browser_user.sign_in()
    page.locator("a.chat").wait_for()
    page.locator("body").press("?")
    page.get_by_role("dialog").wait_for()
    browser_user.context.clear_cookies()
    browser_user.context.set_offline(True)
    browser_user.context.set_offline(False)

    expect(page.get_by_role("alert")).to_contain_text("You are signed out")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.long
def test_a_server_that_is_away_is_told_and_waited_for(browser_user: BrowserUser) -> None:
    """The page is already open when the server stops responding. It shows this and keeps trying."""
    page = browser_user.page
    browser_user.sign_in()
    page.route("**/api/**", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("heading", name="The server does not answer")).to_be_visible()
    page.unroute("**/api/**")

    expect(page.get_by_role("heading", name="Waiting for the first message")).to_be_visible()


@pytest.mark.long
def test_hindi_is_a_choice_that_stays(browser_user: BrowserUser) -> None:
    """The language applies to every tab, because a reader of one language may not understand the other."""
    page = browser_user.sign_in()
    other_tab = browser_user.context.new_page()
    other_tab.goto(browser_user.url)
    expect(other_tab.get_by_role("heading", name="Waiting for the first message")).to_be_visible()
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Language").select_option("hi")
    expect(other_tab.get_by_role("heading", name="पहले संदेश का इंतज़ार")).to_be_visible()
    expect(page.get_by_role("heading", name="पहले संदेश का इंतज़ार")).to_be_visible()
    page.reload()

    expect(page.get_by_role("heading", name="पहले संदेश का इंतज़ार")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "hi"
    browser_user.save_screenshot("hindi")


@pytest.mark.long
def test_whatever_keeps_somebody_out_is_said_in_their_language(
    browser: Browser, api_url: str, history: HistoryWriter, reader_token: str
) -> None:
    """Examples are an invalid or expired token, an identity provider that refuses, and an unavailable server."""
    history.store(message_fact("hello"))
    with open_browser_user(browser, api_url, locale="hi-IN") as somebody:
        page = somebody.page
        for fragment, reason in (
            ("token=wrong", "यह टोकन मान्य नहीं है।"),
            ("refused=sso_not_allowed", "आपके खाते की यहाँ पहुँच नहीं। संचालक से पूछें।"),
            ("refused=sso_failed", "खाता प्रदाता जवाब नहीं दे रहा। फिर कोशिश करें।"),
        ):
            page.goto("about:blank")
            page.goto(f"{api_url}/#{fragment}")
            expect(page.get_by_role("alert")).to_have_text(reason)
            shown = page.locator("main").inner_text()
            assert not re.search("[A-Za-z]", shown.replace("./run", "").replace("var/api-token", "")), shown
        somebody.save_screenshot("door-hindi")
        somebody.sign_in(reader_token).locator("a.chat").wait_for()
        history.execute("UPDATE api_tokens SET expires_at = now() WHERE name = 'reader'")
        expect(page.get_by_role("alert")).to_have_text("आप साइन आउट हो गए हैं।", timeout=20_000)
        page.route("**/api/**", lambda route: route.abort())
        page.reload()
        expect(page.get_by_role("heading")).to_have_text("सर्वर जवाब नहीं दे रहा।")


@pytest.mark.long
def test_a_link_asks_before_it_changes_who_is_signed_in(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """Otherwise, a stranger could make a person write messages with the stranger's token."""
    with connections.open(history.database_url, "test") as connection:
        other = tokens.create(connection, "stranger", ["read"])
    page = browser_user.sign_in()

    page.goto(f"{browser_user.url}/#token={other}")
    page.get_by_role("button", name="Stay signed in as Owner").click()
    expect(page.get_by_text("No chats yet")).to_be_visible()
    stayed = page.evaluate("fetch('/api/session').then((answer) => answer.json())")
    page.goto(f"{browser_user.url}/#token={other}")
    page.get_by_role("button", name="Sign in as stranger").click()
    expect(page.get_by_text("No chats yet")).to_be_visible()
    changed = page.evaluate("fetch('/api/session').then((answer) => answer.json())")

    assert (stayed["data"]["name"], changed["data"]["name"]) == ("bootstrap", "stranger")
