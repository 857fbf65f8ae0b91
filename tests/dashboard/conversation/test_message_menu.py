"""Tests the actions on messages: the menu with mouse, keyboard and touch, stars, and details."""

import json
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from store.access import tokens
from store.annotations import stars
from store.model.facts import Ack
from store.postgres import connections
from store.reading.fragments.chat_scope import ChatScope
from tests.support.browser import axe
from tests.support.browser.browser import BrowserUser, open_browser_user
from tests.support.browser.dashboard_actions import mark_all_read, open_first_chat, store_messages
from tests.support.history.history_writer import BASE_TIME, SENDER_PHONE, HistoryWriter, message_fact

MENU = "Menu of this message"


def expect_copied(page: Page, text: str) -> None:
    deadline = time.monotonic() + 10
    while page.evaluate("navigator.clipboard.readText()") != text and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert page.evaluate("navigator.clipboard.readText()") == text


@pytest.mark.long
def test_a_message_is_copied_linked_and_starred(
    browser: Browser, api_url: str, history: HistoryWriter, database_url: str
) -> None:
    """One tab uses only the keyboard. Another tab with read access shows the star and cannot remove it."""
    store_messages(history, 3)
    history.store(message_fact("ours", 200_000, id="out", direction="outgoing"))
    mark_all_read(history)
    with connections.open(database_url, "test") as connection:
        token = tokens.create(connection, "reader", ["read"])
    with open_browser_user(browser, api_url) as writer, open_browser_user(browser, api_url) as reader:
        writer.context.grant_permissions(["clipboard-read", "clipboard-write"])
        open_first_chat(writer)
        page = writer.page
        reader.sign_in(token).locator("a.chat").first.click()
        last = page.locator("li[data-key]").last
        page.locator(".scroll").focus()
        page.keyboard.press("Tab")
        expect(last.get_by_role("button", name=MENU)).to_be_focused()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Copy text").press("Enter")
        expect_copied(page, "text 2")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Copy the link").press("Enter")
        expect_copied(page, f"{api_url}/#/chat/s1/{SENDER_PHONE}?at=m2")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Star", exact=True).press("Enter")
        starred = reader.page.locator("li[data-key]", has_text="text 2")
        expect(starred.get_by_role("img", name="Starred")).to_be_visible()
        expect(page.locator("li[data-key]", has_text="text 2").get_by_role("button", name=MENU)).to_be_focused()
        starred.hover()
        starred.get_by_role("button", name=MENU).click()
        expect(reader.page.get_by_role("button", name="Details")).to_be_visible()
        expect(reader.page.get_by_role("button", name="Remove star")).to_have_count(0)
        reader.page.get_by_role("button", name="Details").click()
        expect(reader.page.get_by_role("dialog")).to_contain_text("Message idm2")
        expect(reader.page.get_by_text("Raw events")).to_have_count(0)
        reader.page.keyboard.press("Escape")
        reader.page.get_by_role("button", name="Starred").click()
        previews = reader.page.locator("a.chat .preview")
        expect(previews).to_have_text(["text 2"])
        for message_id, is_starred, shown in (("m0", True, ["text 2", "text 0"]), ("m2", False, ["text 0"])):
            with connections.open(database_url, "test") as connection:
                stars.set_star(connection, ChatScope(SENDER_PHONE, None), message_id, starred=is_starred)
            expect(previews).to_have_text(shown)


def test_a_message_tells_who_when_and_how_it_came(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """The details contain receipts with their times and, for admins, the raw events."""
    history.store(message_fact("ours", id="out", direction="outgoing"))
    history.store(Ack("out", "delivered", SENDER_PHONE, BASE_TIME + 60_000))
    open_first_chat(browser_user)
    page = browser_user.page
    message = page.locator("li[data-key]")
    message.hover()
    message.get_by_role("button", name=MENU).click()
    browser_user.save_screenshot("message-menu")
    page.get_by_role("button", name="Details").click()
    details = page.get_by_role("dialog")
    expect(details).to_contain_text("Delivered")
    details.get_by_text("Raw events").click()
    expect(details.locator("pre")).to_have_count(2)
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        browser_user.save_screenshot(f"message-details-{scheme}")
        assert axe.obstacles(page) == [], scheme
    page.keyboard.press("Escape")
    expect(details).to_have_count(0)
    expect(page.locator(".conversation")).to_be_visible()


def test_a_finger_that_rests_on_a_message_opens_its_menu(
    browser: Browser, api_url: str, history: HistoryWriter
) -> None:
    store_messages(history, 3)
    options = {"viewport": {"width": 375, "height": 800}, "has_touch": True, "is_mobile": True}
    with open_browser_user(browser, api_url, **options) as somebody:
        open_first_chat(somebody)
        page = somebody.page
        box = page.locator("li[data-key] .said").nth(1).bounding_box()
        assert box
        finger: Any = somebody.context.new_cdp_session(page)
        place = {"touchPoints": [{"x": box["x"] + 5, "y": box["y"] + 5}]}
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", **place})
        page.wait_for_timeout(600)
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

        expect(page.get_by_role("button", name="Copy the link")).to_be_visible()
        somebody.save_screenshot("message-menu-narrow")
        assert json.loads(page.evaluate("JSON.stringify(getSelection().toString())")) == ""
