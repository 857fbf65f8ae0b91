"""Tests the search of the dashboard: in all chats, and within an open one."""

from typing import get_args

import pytest
from playwright.sync_api import Page, expect

from dev.embedded.child_process import wait_until
from store.model.facts import MessageType
from tests.support.browser.browser import BrowserUser
from tests.support.browser.dashboard_actions import MINUTE_MS, mark_all_read, open_first_chat, phone_number
from tests.support.history.history_writer import SENDER_PHONE, HistoryWriter, message_fact, name_fact

DAY_MS = 86_400_000
_MARKED = """() => [...(CSS.highlights.get("matches") ?? [])].map((range) => range.toString())"""


def wait_for_index(history: HistoryWriter) -> None:
    unindexed = """
        SELECT FROM whatsapp_messages AS m
        WHERE coalesce(m.message_text, m.caption) IS NOT NULL
            AND NOT EXISTS (SELECT FROM search_index AS s WHERE s.id = m.id)
    """
    assert wait_until(lambda: history.rows(unindexed) == [], 20)


def marked(page: Page) -> list[str]:
    return page.evaluate(_MARKED)


@pytest.mark.long
def test_matches_in_a_chat_are_marked_counted_and_met_in_turn(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """This includes matches that are not loaded. If the query contains an error, the corrected word is marked."""
    history.store(*(message_fact(f"line {n}", n * MINUTE_MS, id=f"l{n}") for n in range(300)))
    history.store(
        message_fact("the Invoice 98110-00001 is late", 10 * MINUTE_MS + 1, id="old"),
        message_fact("which invoice?", 200 * MINUTE_MS + 1, direction="outgoing", id="middle"),
        message_fact(type="image", caption="invoice", at=290 * MINUTE_MS + 1, id="new"),
    )
    wait_for_index(history)
    open_first_chat(browser_user)
    page = browser_user.page
    page.get_by_role("button", name="Search in this chat").click()
    box = page.get_by_role("searchbox", name="Search in this chat")
    expect(box).to_be_focused()
    box.fill("invoice")
    told = page.locator(".finding [role=status]")

    expect(told).to_have_text("1 of 3")
    expect(page.locator(".found .said")).to_have_text("invoice")
    expect(page.get_by_role("button", name="Newer match")).to_be_disabled()
    assert wait_until(lambda: marked(page) == ["invoice"] * 2, 10)
    box.press("Enter")
    box.press("Enter")
    expect(told).to_have_text("3 of 3")
    expect(page.locator(".found .said")).to_have_text("the Invoice 98110-00001 is late")
    expect(page.locator(".found")).to_be_in_viewport()
    assert wait_until(lambda: "Invoice" in marked(page), 10)
    browser_user.save_screenshot("search_in_chat")
    page.get_by_role("button", name="Newer match").click()
    expect(page.locator(".found .said")).to_have_text("which invoice?")
    page.get_by_label("Type of message").locator("visible=true").select_option("Photo")
    expect(told).to_have_text("1 of 1")
    page.get_by_label("Type of message").locator("visible=true").select_option("Any type")
    expect(told).to_have_text("1 of 3")
    box.fill("9811000001 invioce")
    expect(told).to_have_text("1 of 1")
    assert wait_until(lambda: {"98110-00001", "Invoice"} <= set(marked(page)), 10)
    box.press("Escape")
    expect(box).to_have_count(0)
    assert marked(page) == []


@pytest.mark.long
def test_a_match_stays_on_the_screen_when_texts_above_it_unfold(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """A folded text unfolds if it contains one of the words."""
    texts = ["Your order is here. " * 150] * 4 + ["which order?"] + ["line"] * 20
    history.store(*(message_fact(text, n * MINUTE_MS, id=f"m{n}") for n, text in enumerate(texts)))
    mark_all_read(history)
    page = browser_user.sign_in()
    page.goto(f"{browser_user.url}/#/chat/s1/{SENDER_PHONE}?at=m4&q=order")
    expect(page.locator(".found .said")).to_have_text("which order?")
    expect(page.locator(".said.folded")).to_have_count(0)

    expect(page.locator(".found")).to_be_in_viewport()


def test_a_search_offers_every_type_of_message_that_is_known(browser_user: BrowserUser) -> None:
    """A new type needs no line in the search, because its label is enough."""
    page = browser_user.sign_in()
    page.get_by_role("searchbox", name="Search chats and messages").fill("parcel")
    options = page.get_by_label("Type of message").locator("option")
    expect(options).to_have_count(len(get_args(MessageType)))
    types = [option.get_attribute("value") for option in options.all()]

    assert types[:2] == ["", "text"]
    assert set(types) == {"", *get_args(MessageType)} - {"unknown"}


def test_a_search_in_all_chats_is_narrowed_counted_and_goes_on_in_the_chat(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """Days are those of the reader's calendar. A name with a typing error is found, too."""
    ravi, asha = phone_number(1), phone_number(2)
    history.store(name_fact("Ravi Traders", ravi), name_fact("Asha", asha))
    history.store(*(message_fact(f"parcel {n}", n * DAY_MS, address=ravi, id=f"r{n}") for n in range(40)))
    history.store(message_fact(type="image", caption="parcel photo", at=1, address=asha))
    wait_for_index(history)
    page = browser_user.sign_in()
    search = page.get_by_role("searchbox", name="Search chats and messages")
    search.fill("parcel")

    expect(page.get_by_role("heading", name="Messages 41")).to_be_visible()
    page.get_by_label("Type of message").select_option("Photo")
    expect(page.locator("a.chat .preview mark")).to_have_count(1)
    page.get_by_label("Type of message").select_option("Any type")
    page.get_by_label("From", exact=True).fill("2025-06-16")
    page.get_by_label("To", exact=True).fill("2025-06-17")
    expect(page.get_by_role("heading", name="Messages 2")).to_be_visible()
    browser_user.save_screenshot("search_narrowed")
    page.locator("a.chat", has=page.locator("mark")).first.click()
    expect(page.locator(".finding [role=status]")).to_have_text("38 of 40")
    expect(page.locator(".found .said")).to_have_text("parcel 2")
    expect(page.get_by_role("searchbox", name="Search in this chat")).to_have_value("parcel")
    search.fill("ravi tarders")
    expect(page.get_by_role("heading", name="Similar names")).to_be_visible()
    expect(page.locator("a.chat .name")).to_have_text(["Ravi Traders"])
