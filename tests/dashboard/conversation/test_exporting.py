"""Tests the export of a conversation to a file and to paper, as its reader sees it."""

import re

import pytest
from playwright.sync_api import expect

from dev.embedded.child_process import wait_until
from tests.support import workbook
from tests.support.browser.browser import BrowserUser
from tests.support.browser.dashboard_actions import open_first_chat
from tests.support.history.history_writer import HistoryWriter, message_fact, name_fact


@pytest.mark.long
def test_a_conversation_is_saved_for_a_period_and_with_a_name(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """The buttons are labelled text and spreadsheet, and days are those of the reader's calendar."""
    history.store(name_fact("Asha"), *(message_fact(f"entry {n}", n * 86_400_000) for n in range(5)))
    open_first_chat(browser_user)
    page = browser_user.page
    page.get_by_role("button", name="More about this chat").click()
    page.get_by_role("button", name="Save or print").click()
    dialog = page.get_by_role("dialog", name="Save or print")
    dialog.get_by_label("From", exact=True).fill("2025-06-16")
    dialog.get_by_label("To", exact=True).fill("2025-06-17")
    browser_user.save_screenshot("export")
    with page.expect_download() as text:
        dialog.get_by_role("link", name="Text").click()
    with page.expect_download() as book:
        dialog.get_by_role("link", name="Spreadsheet (Excel)").click()

    said = text.value.path().read_text()
    assert re.fullmatch(r"Asha 20\d\d-\d\d-\d\d\.txt", text.value.suggested_filename)
    # Chromium uses the former name of the time zone.
    assert re.search("-- Period: 2025-06-16 to 2025-06-17\n-- Times: Asia/(Kolkata|Calcutta)\n", said)
    assert re.findall("entry [0-9]", said) == ["entry 1", "entry 2"]
    assert re.fullmatch(r"Asha 20\d\d-\d\d-\d\d\.xlsx", book.value.suggested_filename)
    assert [row.get("G") for row in workbook.rows(book.value.path().read_bytes())] == ["Text", "entry 1", "entry 2"]
    page.evaluate("void (globalThis.print = () => (globalThis.paper = document.querySelector('.paper').textContent))")
    dialog.get_by_role("button", name="Print, or save as PDF").click()
    assert wait_until(lambda: page.evaluate("Boolean(globalThis.paper)"), 10)
    page.emulate_media(media="print")
    browser_user.save_screenshot("paper")
    expect(page.locator(".shell")).to_be_hidden()
    paper = page.evaluate("globalThis.paper")
    assert re.search("Monday,? 16 June 2025 to Tuesday,? 17 June 2025", paper)
    assert "Printed on" in paper
    assert re.findall("entry [0-9]", paper) == ["entry 1", "entry 2"]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".paper")).to_have_count(0)
    page.emulate_media(media="screen")
    page.get_by_role("button", name="More about this chat").click()
    page.get_by_role("button", name="Save or print").click()
    page.keyboard.press("n")
    expect(dialog).to_be_visible()
    page.go_back()
    expect(dialog).to_have_count(0)
