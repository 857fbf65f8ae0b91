"""Tests dates, times and outages in a conversation, in the reader's time zone."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser.browser import BrowserUser, open_browser_user
from tests.support.browser.dashboard_actions import mark_all_read, open_first_chat, store_messages
from tests.support.history.history_writer import API_TOKEN, BASE_TIME, HistoryWriter, message_fact
from tests.support.processes.api_server import running_api


@pytest.mark.long
def test_a_date_is_jumped_to(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """Days are in the reader's time zone. In India, 14 June begins at 18:30 UTC on the 13th."""
    history.store(*(message_fact(f"hour {n}", n * 3_600_000, id=f"h{n}") for n in range(-24 * 20, 0, 2)))
    mark_all_read(history)
    open_first_chat(browser_user)
    page = browser_user.page
    page.get_by_role("button", name="Jump to a date").click()
    page.get_by_role("textbox", name="Jump to a date").fill("2025-06-05")
    page.get_by_role("button", name="Jump", exact=True).click()
    day = page.locator(".day", has_text="5 June")

    expect(day).to_be_in_viewport()
    expect(page.locator(".said", has_text=re.compile("^hour -1$"))).to_have_count(0)
    history.execute(
        "DELETE FROM whatsapp_messages WHERE timestamp >= %s AND timestamp < %s",
        BASE_TIME - 7 * 86_400_000, BASE_TIME - 4 * 86_400_000,
    )  # fmt: skip
    page.reload()
    page.get_by_role("button", name="Jump to a date").click()
    page.get_by_role("textbox", name="Jump to a date").fill("2025-06-10")
    page.get_by_role("button", name="Jump", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("No messages: Tue, 10 June 2025. Nearest day: ")


def test_times_are_the_readers_own(browser: Browser, api_url: str, history: HistoryWriter) -> None:
    history.store(message_fact("hello"))
    for zone, shown in (("Asia/Kolkata", "20:36"), ("America/New_York", "11:06")):
        with open_browser_user(browser, api_url, timezone_id=zone) as somebody:
            open_first_chat(somebody)
            expect(somebody.page.locator(".under time")).to_have_text(shown)


def test_an_outage_is_shown_where_messages_may_be_missing(
    browser: Browser, database_url: str, history: HistoryWriter
) -> None:
    store_messages(history, 2)
    history.execute(
        "INSERT INTO outages (session_id, kind, connected_at, first_at, last_at, ended_at, reason)"
        " VALUES ('s1', 'disconnected', %s, %s, %s, %s, 'x')",
        BASE_TIME + 1000, BASE_TIME + 2000, BASE_TIME + 30_000, BASE_TIME + 40_000,
    )  # fmt: skip
    with (
        running_api({"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN} | WATCHED) as url,
        open_browser_user(browser, url) as somebody,
    ):
        open_first_chat(somebody)

        expect(somebody.page.locator(".outage").first).to_have_text(
            "Gateway offline, 20:36 to 20:37: messages may be missing"
        )


WATCHED = {
    "SAK_BASE_URL": "http://127.0.0.1:9/api/v1",
    "SAK_API_KEY": "sk_made_up",
    "SAK_JWT": "made.up.jwt",
    "SAK_SESSION_ID": "s1",
    "SAK_WATCH_SECONDS": "3600",
}
