"""Tests two gateways on one number: a list without duplicate chats, and a note on messages that only one delivered."""

import time

from playwright.sync_api import expect

from store.model.facts import SessionReport
from tests.support.browser.browser import BrowserUser
from tests.support.history import account_merging
from tests.support.history.history_writer import BASE_TIME, HistoryWriter, message_fact

NOW = time.time_ns() // 1_000_000 - BASE_TIME


def test_a_message_of_one_of_two_gateways_says_so(browser_user: BrowserUser, history: HistoryWriter) -> None:
    told = {"sak-1": (1, 2), "shop:default": (1,)}
    for session, numbers in told.items():
        history.store(SessionReport("connected", "919800000000", BASE_TIME + NOW - 600_000), session=session)
        history.store(*(message_fact(f"text {n}", NOW - 300_000 + n, id=f"M{n}") for n in numbers), session=session)
    account_merging.join_and_merge(history.database_url)
    history.execute("UPDATE whatsapp_messages SET created_at = now() - interval '5 minutes'")
    page = browser_user.sign_in()
    expect(page.locator("a.chat")).to_have_count(1)
    expect(page.locator("a.chat .session")).to_have_count(0)
    page.locator("a.chat").click()

    expect(page.locator(".said")).to_have_text(["text 1", "text 2"])
    expect(page.locator(".partly")).to_have_text("1 of 2 sessions delivered this")
    partly = page.locator("li.in", has_text="text 2").locator(".partly")
    expect(partly).to_have_attribute("title", "Not delivered by +91 98000 00000 (shop:default)")
    # Both sessions belong to the shop, so the names of the gateways distinguish them.
    page.evaluate(
        """async () => {
            const { csrf } = (await (await fetch("/api/session")).json()).data;
            const headers = { "content-type": "application/json", "x-csrf-token": csrf };
            await fetch("/api/sessions/sak-1", { method: "PATCH", headers, body: '{"display_name":"Shop"}' });
        }"""
    )
    expect(partly).to_have_attribute("title", "Not delivered by Shop (shop:default)")
