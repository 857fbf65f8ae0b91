"""Tests the queue of chats that wait for an answer: its order, its counts, and navigation through it."""

import time

import pytest
from playwright.sync_api import expect

from tests.support.browser.browser import BrowserUser
from tests.support.browser.dashboard_actions import phone_number
from tests.support.history.history_writer import BASE_TIME, HistoryWriter, message_fact

HOUR = 3_600_000


def test_the_longest_waiting_comes_first_and_one_key_leads_through_the_queue(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """The colour shows the duration: under an hour, under a day, or longer."""
    now = int(time.time() * 1000) - BASE_TIME
    waits = {1: 5 * 60_000, 2: 30 * HOUR, 3: 3 * HOUR}
    for number, ms in waits.items():
        history.store(message_fact(f"question {number}", now - ms, address=phone_number(number)))
    history.store(message_fact("a story", now - HOUR, address="status@broadcast"))
    page = browser_user.sign_in()
    preview = page.locator("a.chat .preview")
    chip = page.get_by_role("button", name="Waiting 3")
    expect(chip).to_be_visible()
    expect(page).to_have_title("(4) History")
    chip.click()
    expect(preview).to_have_text(["question 2", "question 3", "question 1"])
    expect(page.locator("a.chat .waits.longest")).to_have_count(1)
    expect(page.locator("a.chat .waits.long")).to_have_count(1)

    browser_user.save_screenshot("waiting")
    page.keyboard.press("n")
    expect(page.locator(".said")).to_have_text("question 2")
    page.keyboard.press("Alt+n")
    expect(page.locator(".said")).to_have_text("question 3")
    history.store(message_fact("answer", now, address=phone_number(2), direction="outgoing"))
    expect(preview).to_have_text(["question 3", "question 1"])
    history.store(message_fact("a new question", now, address=phone_number(4)))
    expect(preview).to_have_text(["question 3", "question 1", "a new question"])
    for shown in ("question 1", "a new question", "question 3"):
        page.keyboard.press("Alt+n")
        expect(page.locator(".said").last).to_have_text(shown)


def test_the_clock_of_a_device_may_be_behind(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """Then somebody waits since a time that has not come yet."""
    history.store(message_fact("question", int(time.time() * 1000) - BASE_TIME))
    browser_user.page.clock.set_fixed_time(time.time() - 600)
    page = browser_user.sign_in()

    expect(page.locator("a.chat .waits")).to_contain_text("1 min")


@pytest.mark.long
def test_filters_hold_during_a_search(browser_user: BrowserUser, history: HistoryWriter) -> None:
    group = "120363041234567890@g.us"
    history.store(message_fact("a parcel", address=group), message_fact("a parcel", 1, address=phone_number(1)))
    page = browser_user.sign_in()
    page.get_by_role("searchbox").fill("parcel")
    expect(page.locator("a.chat mark")).to_have_count(2)

    page.get_by_role("button", name="Groups").click()
    expect(page.locator("a.chat mark")).to_have_count(1)
    expect(page.locator("a.chat .name").first).to_contain_text("Group")
