"""Tests that texts in a history are only ever shown as text."""

import pytest
from playwright.sync_api import expect

from store.model.facts import DisplayName, Edit, Message, Reaction
from tests.support.browser.browser import BrowserUser
from tests.support.history.history_writer import BASE_TIME, SENDER_PHONE, HistoryWriter

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "</title><script>alert(1)</script>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'>",
    "<style>@import 'http://127.0.0.1:1/x'</style>",
    "' onmouseover='alert(1)",
    "<math><mtext></p><style><img src=x onerror=alert(1)>",
)  # fmt: skip
GROUP = "120363041234567890@g.us"


@pytest.mark.parametrize("place", ["phone", pytest.param("group", marks=pytest.mark.long)])
def test_no_text_of_anybody_is_ever_markup(browser_user: BrowserUser, history: HistoryWriter, place: str) -> None:
    """Each hostile text is tested in each field that a sender chooses, in the list, chat, search and parked events."""
    address = SENDER_PHONE if place == "phone" else GROUP
    facts: list[Message | DisplayName | Edit | Reaction] = []
    for n, evil in enumerate(HOSTILE):
        facts += [
            Message(
                address, "incoming", f"{evil}{n}", BASE_TIME + n * 10, "text", evil, "complete", text=evil, sender=evil,
                sender_name=evil, reply_to=f"{evil}{n - 1}",
            ),
            Message(
                address, "incoming", f"f{n}", BASE_TIME + n * 10 + 1, "document", evil, "complete", caption=evil,
                media_url=evil if n % 2 else f"https://files.example/{evil}", mime_type=evil, file_name=evil,
                sender=evil, sender_name=evil,
            ),
            Message(address, "incoming", f"u{n}", BASE_TIME + n * 10 + 2, "unknown", evil, "complete", sender=evil),
            Reaction(f"f{n}", address, "incoming", evil, evil, BASE_TIME + n * 10 + 3),
            Edit(f"f{n}", address, "incoming", evil, evil, BASE_TIME + n * 10 + 4),
            DisplayName(address, evil, 2, BASE_TIME + n),
        ]  # fmt: skip
    history.store(*facts, session=HOSTILE[1])
    page = browser_user.sign_in()
    page.locator("a.chat").click()
    page.locator("li[data-key]").nth(30).wait_for()
    page.get_by_role("searchbox").fill("alert(1)")
    page.locator("a.chat mark").first.wait_for()
    page.locator(".quote").first.click()
    hrefs = page.evaluate("[...document.querySelectorAll('a')].map((one) => one.protocol)")
    page.goto(f"{browser_user.url}/#/operations")
    expect(page.get_by_text(HOSTILE[1]).first).to_be_visible()

    assert set(hrefs) <= {"http:", "https:"}
    assert page.locator("script").count() == 1
    assert page.locator("iframe, style, math, img:not([src^='/assets/'])").count() == 0


@pytest.mark.long
def test_no_address_breaks_the_page(browser_user: BrowserUser) -> None:
    """Links may come from a chat program, a search engine or an attacker."""
    page = browser_user.sign_in()
    for evil in ("#/chat/%ZZ/%00", "#/chat/<img src=x>/1", "#token=", "#/operations/../x", "#/%E0%A4%A"):
        page.goto(f"{browser_user.url}/{evil}")
        page.reload()
        expect(page.locator(".side, .door").first).to_be_attached()
