"""Tests the statistics of conversations, which link to their chats."""

import re
import time

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import axe
from tests.support.browser.browser import BrowserUser, open_browser_user
from tests.support.browser.dashboard_actions import phone_number
from tests.support.history.history_writer import BASE_TIME, HistoryWriter, message_fact

MINUTE = 60_000


def store_day(history: HistoryWriter, now: int) -> None:
    """Store a chat that was answered after four minutes, one that waits, and an earlier one of another session."""
    asked, answered = now - 6 * MINUTE, now - 2 * MINUTE
    history.store(
        message_fact("In stock?", asked, address=phone_number(1)),
        message_fact("Yes", answered, address=phone_number(1), direction="outgoing"),
        message_fact("And in blue?", now - MINUTE, address=phone_number(2)),
    )
    history.store(message_fact("Hello", now - 20 * 24 * 60 * MINUTE, address=phone_number(3)), session="s2")


def test_each_number_leads_to_its_chats(browser: Browser, api_url: str, history: HistoryWriter) -> None:
    """The reader is in a time zone where it is noon now, so that no test runs across midnight."""
    now = int(time.time() * 1000) - BASE_TIME
    store_day(history, now)
    hours = 12 - time.gmtime().tm_hour
    zone = f"Etc/GMT{-hours:+d}" if hours else "UTC"  # the sign of these zones is inverted
    with open_browser_user(browser, api_url, timezone_id=zone) as user:
        page = user.sign_in()
        page.get_by_role("link", name="Today").click()
        figure = page.locator(".figures .card")
        expect(figure.filter(has_text="Messages in")).to_contain_text("2")
        expect(figure.filter(has_text="Half answered within")).to_contain_text("4 min")
        expect(figure.filter(has_text="Waiting now")).to_contain_text("2longest 20 days")
        expect(page.get_by_role("img", name="incoming: 2, outgoing: 1")).to_be_visible()
        page.get_by_text("As a table").click()
        expect(figure.filter(has_text="of the questions asked")).to_contain_text("1 / 2")
        # The question may have arrived in the previous hour.
        expect(page.get_by_role("region", name="Messages").locator("tbody")).to_contain_text("1 / ")
        user.save_screenshot("today")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert axe.obstacles(page) == [], scheme
        page.get_by_role("link", name="30 days, by day").click()
        expect(figure.filter(has_text="Messages in")).to_contain_text("3")
        sessions = page.get_by_role("region", name="By session").locator("tbody tr")
        expect(sessions).to_have_count(2)
        sessions.filter(has_text="Session 2").get_by_role("link", name="1", exact=True).first.click()
        expect(page.locator("a.chat .preview")).to_have_text(["Hello"])
        page.go_back()
        page.get_by_role("link", name="Today, by hour").click()
        figure.filter(has_text="Messages in").get_by_role("link").click()
        expect(page.locator("a.chat .preview")).to_contain_text(["And in blue?", "Yes"])
        page.get_by_role("button", name=re.compile("Messages in")).click()
        expect(page.locator("a.chat")).to_have_count(3)


@pytest.mark.long
def test_a_link_to_a_list_survives_a_reload_and_the_narrow_screen(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    store_day(history, int(time.time() * 1000) - BASE_TIME)
    page = browser_user.sign_in()
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(f"{browser_user.url}/#/today?by=week")
    expect(page.locator("a.chip[aria-current]")).to_have_text("12 weeks, by week")
    browser_user.save_screenshot("today-narrow")
    page.locator(".figures .card", has_text="Messages out").get_by_role("link").click()
    expect(page.locator("a.chat .preview")).to_contain_text(["Yes"])
    page.reload()

    expect(page.locator("a.chat .preview")).to_contain_text(["Yes"])
