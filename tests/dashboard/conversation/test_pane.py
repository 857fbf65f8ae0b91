"""Tests the pane beside a conversation: labels, notes and details of the chat."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import axe
from tests.support.browser.browser import BrowserUser, open_browser_user
from tests.support.browser.dashboard_actions import mark_all_read, open_another_chat, open_first_chat
from tests.support.history.history_writer import SENDER_LID, HistoryWriter, alias_fact, message_fact, name_fact


@pytest.mark.long
def test_what_one_reader_writes_about_a_chat_the_others_see(
    browser: Browser, api_url: str, history: HistoryWriter
) -> None:
    """Labels and notes are visible on a wide screen and on a phone. Text that is being typed there stays."""
    history.store(
        name_fact("Asha"),
        message_fact("see https://example.org", 0, id="m0"),
        message_fact(type="document", at=1, id="m1"),
        message_fact("from the LID", 2, address=SENDER_LID, id="m2"),
        alias_fact(),
    )
    mark_all_read(history)
    phone = {"viewport": {"width": 375, "height": 800}}
    with (
        open_browser_user(browser, api_url, viewport={"width": 1440, "height": 900}) as wide,
        open_browser_user(browser, api_url, **phone) as narrow,
    ):
        open_first_chat(wide)
        page = wide.page
        open_first_chat(narrow)
        about = page.get_by_role("complementary", name="About this chat")
        expect(about).to_contain_text("+91 98110 00001")
        expect(about.get_by_title(SENDER_LID)).to_have_text(f"Private identity …{SENDER_LID.partition('@')[0][-4:]}")
        expect(narrow.page.get_by_role("complementary", name="About this chat")).to_be_hidden()
        narrow.page.get_by_role("button", name="About this chat", exact=True).click()
        there = narrow.page.get_by_role("complementary", name="About this chat")
        there.get_by_label("Write a note").fill("typing")
        narrow.page.reload()
        narrow.page.get_by_role("button", name="About this chat", exact=True).click()

        about.get_by_label("Add a label").fill("wholesale")
        page.keyboard.press("Enter")
        about.get_by_label("Write a note").fill("Pays *late*")
        about.get_by_role("button", name="Save").nth(1).click()
        expect(there.locator(".label")).to_have_text("wholesale")
        expect(there.locator(".note strong")).to_have_text("late")
        expect(there.get_by_label("Write a note")).to_have_value("typing")
        about.get_by_role("button", name="Change this note").click()
        about.get_by_label("Change this note").fill("Pays at once")
        about.get_by_role("button", name="Save").last.click()
        expect(there.locator(".note")).to_contain_text("Pays at once")
        for name, shown in (("Files", ["Document"]), ("Links", ["see https://example.org"]), ("Starred", ["none"])):
            about.get_by_text(name, exact=True).click()
            expect(about.locator("details[open] li").filter(has_text=shown[0])).to_be_visible()
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            wide.save_screenshot(f"pane-wide-{scheme}")
            assert axe.obstacles(page) == [], scheme
        narrow.save_screenshot("pane-narrow")
        narrow.page.keyboard.press("Escape")
        expect(there).to_be_hidden()
        expect(narrow.page.locator(".conversation")).to_be_visible()

        page.get_by_label("Label", exact=True).select_option("wholesale")
        expect(page.locator("a.chat .name")).to_have_text(["Asha"])
        about.get_by_role("button", name="Change this note").click()
        about.get_by_role("button", name="Delete").click()
        expect(about.locator(".note")).to_have_count(0)
        about.get_by_role("button", name="Remove the label wholesale").click()
        expect(there.locator(".label")).to_have_count(0)


def test_a_number_without_a_chat_can_be_written_to(writer: BrowserUser) -> None:
    """The number is typed with its country code. If it has a chat already, that chat opens."""
    page = writer.page
    page.get_by_role("searchbox").fill("+91 98123 45678")
    open_another_chat(page, "No chat yet")
    page.get_by_label("Write a message").fill("Hello!")
    page.keyboard.press("Enter")

    expect(page.locator("li.out .said")).to_have_text("Hello!")
    expect(page.locator("li.out").get_by_role("img", name=re.compile("^Sent"))).to_be_visible()
    expect(page.get_by_role("heading", name="+91 98123 45678")).to_be_visible()
