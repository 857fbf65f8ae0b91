"""Tests accessibility: runs axe-core on every view, in light and in dark mode."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from store.model.facts import Delete, Message, Reaction
from tests.support.browser import axe
from tests.support.browser.browser import BrowserUser, open_browser_user
from tests.support.browser.dashboard_actions import park_event
from tests.support.history.history_writer import BASE_TIME, SENDER_PHONE, HistoryWriter, message_fact, name_fact


def list_of_chats(reader: BrowserUser) -> None:
    reader.sign_in().locator("a.chat").first.wait_for()


def conversation(reader: BrowserUser) -> None:
    list_of_chats(reader)
    reader.page.locator("a.chat", has_text="Asha").click()
    reader.page.locator("li[data-key]").first.wait_for()


def found(reader: BrowserUser) -> None:
    reader.sign_in().get_by_role("searchbox").fill("hello")
    reader.page.locator("a.chat mark").first.wait_for()


def searched_chat(reader: BrowserUser) -> None:
    conversation(reader)
    reader.page.get_by_role("button", name="Search in this chat").click()
    reader.page.get_by_role("searchbox", name="Search in this chat").fill("hello")
    expect(reader.page.locator(".found")).to_be_visible()


def exporting(reader: BrowserUser) -> None:
    conversation(reader)
    reader.page.get_by_role("button", name="More about this chat").click()
    reader.page.get_by_role("button", name="Save or print").click()
    expect(reader.page.get_by_role("dialog")).to_be_visible()


def nothing_found(reader: BrowserUser) -> None:
    reader.sign_in().get_by_role("searchbox").fill("nowhere to be found")
    expect(reader.page.get_by_role("heading", name="Nothing found")).to_be_visible()


def operations(reader: BrowserUser) -> None:
    reader.sign_in().goto(f"{reader.url}/#/operations")
    reader.page.get_by_text("Show the event").click()
    expect(reader.page.get_by_role("region", name="Sessions").locator("table")).to_be_visible()


def settings(reader: BrowserUser) -> None:
    reader.sign_in().get_by_role("button", name="Settings").click()
    expect(reader.page.get_by_role("button", name="Sign out")).to_be_visible()


def people(reader: BrowserUser) -> None:
    reader.sign_in().goto(f"{reader.url}/#/people")
    reader.page.get_by_label("Name").fill("Asha")
    reader.page.get_by_role("button", name="Make a sign-in link").click()
    expect(reader.page.get_by_role("row", name="Asha")).to_have_count(2)


def date(reader: BrowserUser) -> None:
    conversation(reader)
    reader.page.get_by_role("button", name="Jump to a date").click()
    expect(reader.page.locator(":popover-open input[type=date]")).to_be_visible()


def door(reader: BrowserUser) -> None:
    reader.page.goto(f"{reader.url}/#token=wrong")
    expect(reader.page.get_by_role("alert")).to_be_visible()


VIEWS = (
    conversation,
    found,
    searched_chat,
    exporting,
    nothing_found,
    operations,
    settings,
    people,
    date,
    door,
)


@pytest.fixture
def populated_history(history: HistoryWriter) -> None:
    """Create a history with an example of everything."""
    history.store(
        name_fact("Asha"),
        message_fact("hello", 0, id="a"),
        Message(
            SENDER_PHONE,
            "outgoing",
            "b",
            BASE_TIME + 1,
            "text",
            None,
            "complete",
            text="hi",
            reply_to="a",
            status="read",
        ),
        Message(
            SENDER_PHONE, "outgoing", "c", BASE_TIME + 2, "text", None, "complete", text="never came", status="failed"
        ),
        Message(
            SENDER_PHONE,
            "incoming",
            "d",
            BASE_TIME + 3,
            "image",
            None,
            "media_missing",
            caption="see https://example.org",
        ),
        message_fact("gone", 4, id="e"),
        Delete("e", SENDER_PHONE, "incoming", None, BASE_TIME + 5),
        Reaction("b", SENDER_PHONE, "incoming", None, "👍", BASE_TIME + 6),
        message_fact("hello group", 7, address="120363041234567890@g.us", sender="919811000002"),
    )
    history.execute("UPDATE whatsapp_messages SET unread = false WHERE message_id = 'a'")
    park_event(history, b"{}")


@pytest.mark.usefixtures("populated_history")
@pytest.mark.parametrize(
    "view",
    [list_of_chats, *(pytest.param(view, marks=pytest.mark.long) for view in VIEWS)],
    ids=lambda view: view.__name__,
)
def test_no_serious_obstacle_on_any_view(browser: Browser, api_url: str, view: Callable[[BrowserUser], None]) -> None:
    """The audit covers names, roles, contrast and the order of focus, as far as a program can check them."""
    with open_browser_user(browser, api_url, reduced_motion="reduce") as somebody:
        view(somebody)
        for scheme in ("light", "dark"):
            somebody.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            somebody.save_screenshot(f"{view.__name__}-{scheme}")
            assert axe.obstacles(somebody.page) == [], scheme


def test_the_audit_finds_what_is_wrong(browser: Browser, api_url: str) -> None:
    """If an audit finds nothing, it may not be running at all."""
    with open_browser_user(browser, api_url) as somebody:
        somebody.sign_in()
        somebody.page.evaluate(
            "document.body.append(Object.assign(document.createElement('button'), {style: 'color: #ccc'}))"
        )

        assert any(one.startswith("button-name") for one in axe.obstacles(somebody.page))
