"""Tests a conversation as its reader sees it."""

import re
import time

import pytest
from playwright.sync_api import expect

from store.model.facts import Ack, Delete, Edit, Message, Reaction
from tests.support.browser.browser import BrowserUser
from tests.support.browser.dashboard_actions import (
    MINUTE_MS,
    count_unread,
    mark_all_read,
    open_first_chat,
    store_messages,
)
from tests.support.history.history_writer import BASE_TIME, SENDER_PHONE, HistoryWriter, message_fact, name_fact

GROUP = "120363041234567890@g.us"
SCROLL = ".scroll"


def distance_from_end(reader: BrowserUser) -> float:
    return reader.page.evaluate(
        "(e => e.scrollHeight - e.scrollTop - e.clientHeight)(document.querySelector('.scroll'))"
    )


def test_a_new_message_appears_at_the_end_and_in_the_list(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """A reader who is at the newest message stays at the newest message."""
    store_messages(history, 60)
    mark_all_read(history)
    open_first_chat(browser_user)
    history.store(message_fact("just now", 61 * MINUTE_MS, id="new"))

    expect(browser_user.page.locator(".messages")).to_contain_text("just now")
    expect(browser_user.page.locator("a.chat .preview")).to_have_text("just now")
    assert distance_from_end(browser_user) < 5


def test_a_new_message_does_not_move_a_reader_of_old_messages(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """Readers would disable live updates if they lost their place in the middle of a sentence."""
    store_messages(history, 60)
    mark_all_read(history)
    open_first_chat(browser_user)
    page = browser_user.page
    page.evaluate("document.querySelector('.scroll').scrollTop = 700")
    page.wait_for_timeout(300)
    before = page.evaluate("document.querySelector('.scroll').scrollTop")
    history.store(message_fact("just now", 61 * MINUTE_MS, id="new"))
    expect(page.get_by_role("button", name=re.compile("1.*new message"))).to_be_visible()

    assert page.evaluate("document.querySelector('.scroll').scrollTop") == before
    page.get_by_role("button", name=re.compile("1.*new message")).click()
    expect(page.locator(".said", has_text="just now")).to_be_in_viewport()


@pytest.mark.long
def test_scrolling_back_loads_older_messages_without_a_jump(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """The visible message stays in place while others are added above it, up to the first."""
    store_messages(history, 400)
    mark_all_read(history)
    open_first_chat(browser_user)
    page = browser_user.page
    shift = page.evaluate(
        """async () => {
            const scroll = document.querySelector(".scroll");
            let most = 0;
            for (let step = 0; step < 400 && !document.querySelector(".edge"); step++) {
                const line = scroll.getBoundingClientRect().top + 200;
                const items = [...document.querySelectorAll("li[data-key]")];
                const mine = items.find((li) => li.getBoundingClientRect().bottom > line);
                const before = mine.getBoundingClientRect().top;
                const by = Math.min(150, scroll.scrollTop);
                scroll.scrollTop -= by;
                await new Promise((done) => setTimeout(done, 16));
                if (mine.isConnected) most = Math.max(most, Math.abs(mine.getBoundingClientRect().top - before - by));
            }
            return most;
        }"""
    )

    expect(page.locator(".said", has_text=re.compile("^text 0$"))).to_be_attached()
    assert shift < 2


def test_only_what_was_seen_is_read(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """The list shows 80 unread. After a reader saw ten of them, 70 remain, in the API and for all readers."""
    store_messages(history, 10)
    mark_all_read(history)
    store_messages(history, 80, start=10)
    open_first_chat(browser_user)
    page = browser_user.page
    expect(page.get_by_text("Unread from here")).to_be_in_viewport()
    expect(page.locator(".said", has_text=re.compile("^text 10$"))).to_be_in_viewport()
    deadline = time.monotonic() + 15
    while count_unread(history) == 80 and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    left = count_unread(history)
    lowest = page.evaluate(
        """() => Math.max(...[...document.querySelectorAll("li[data-key]")]
            .filter((li) => li.getBoundingClientRect().top < li.closest(".scroll").getBoundingClientRect().bottom)
            .map((li) => Number(/text ([0-9]+)$/.exec(li.querySelector(".said").textContent)[1])))"""
    )

    assert 80 > left >= 89 - lowest > 0
    page.get_by_role("button", name="To the newest message").click()
    page.mouse.wheel(0, 5000)
    expect(page.locator(".badge")).to_have_count(1)  # the messages in between were not seen


@pytest.mark.long
def test_the_last_message_seen_live_is_read_too(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """It is not part of the loaded page, so a newer page is needed to confirm it."""
    store_messages(history, 3)
    mark_all_read(history)
    open_first_chat(browser_user)
    history.store(message_fact("just now", 5 * MINUTE_MS, id="new"))

    expect(browser_user.page.locator(".messages")).to_contain_text("just now")
    expect(browser_user.page.locator(".badge")).to_have_count(0)
    deadline = time.monotonic() + 10
    while count_unread(history) and time.monotonic() < deadline:
        browser_user.page.wait_for_timeout(100)
    assert count_unread(history) == 0


def test_a_message_tells_everything_that_is_known_of_it(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """Ticks, edits, deletions, reactions, quotes and placeholders are also described in words."""
    out = "outgoing"
    history.store(
        name_fact("Asha"),
        message_fact("What does it cost?", 0, id="a"),
        Message(
            SENDER_PHONE,
            out,
            "b",
            BASE_TIME + 1000,
            "text",
            None,
            "complete",
            text="It costs 40",
            reply_to="a",
            status="sent",
        ),
        message_fact("wrong", 2000, id="c"),
        message_fact("secret", 3000, id="d"),
        Message(
            SENDER_PHONE,
            "incoming",
            "e",
            BASE_TIME + 4000,
            "image",
            "imageMessage",
            "media_missing",
            caption="the blue one",
        ),
        Message(SENDER_PHONE, "incoming", "f", BASE_TIME + 5000, "text", None, "undecrypted"),
        Message(
            SENDER_PHONE,
            "incoming",
            "g",
            BASE_TIME + 6000,
            "document",
            None,
            "complete",
            media_url="https://files.example/a.pdf",
            file_name="in\u202efdp.exe",
        ),
        message_fact("السلام عليكم، هل الطلب جاهز؟", 7000, id="h"),
        message_fact("😀", 8000, id="i"),
        message_fact("w" * 400 + " see https://example.org/a?b=1. javascript:alert(1)", 9000, id="j"),
    )
    history.store(
        Edit("c", SENDER_PHONE, "incoming", None, "right", BASE_TIME + 2500),
        Delete("d", SENDER_PHONE, "incoming", None, BASE_TIME + 3500),
        Reaction("b", SENDER_PHONE, "incoming", None, "👍", BASE_TIME + 1500),
        Ack("b", "delivered", SENDER_PHONE, BASE_TIME + 1600),
    )
    open_first_chat(browser_user)
    page = browser_user.page
    item = page.locator("li[data-key]")

    expect(item.nth(0).locator(".unseen").first).to_have_text("Asha")
    expect(item.nth(1).locator(".unseen").first).to_have_text("You")
    expect(item.nth(1).locator(".quote")).to_contain_text("What does it cost?")
    expect(item.nth(1).get_by_role("img", name="Delivered")).to_be_visible()
    expect(item.nth(1).get_by_role("img", name="👍 from Asha")).to_be_visible()
    expect(item.nth(2)).to_contain_text("right")
    expect(item.nth(2)).to_contain_text("edited")
    expect(item.nth(3)).to_contain_text("This message was deleted")
    expect(item.nth(4).locator(".media")).to_have_text("Photo · not available here")
    expect(item.nth(4)).to_contain_text("the blue one")
    expect(item.nth(5)).to_contain_text("Waiting for this message")
    expect(item.nth(6)).to_contain_text("infdp.exe")
    expect(item.nth(6).get_by_role("link")).to_have_attribute("rel", "noopener noreferrer nofollow")
    assert item.nth(7).locator(".said").evaluate("e => getComputedStyle(e).direction") == "rtl"
    expect(item.nth(8).locator(".big")).to_have_text("😀")
    expect(item.nth(9).get_by_role("link")).to_have_attribute("href", "https://example.org/a?b=1")
    assert page.evaluate(
        "document.querySelector('.scroll').scrollWidth <= document.querySelector('.scroll').clientWidth"
    )
    browser_user.save_screenshot("conversation")


def test_in_a_group_everybody_has_a_name_and_nothing_can_be_sent(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    def said(n: int, sender: str | None, name: str | None) -> Message:
        return Message(
            GROUP, "incoming", f"g{n}", BASE_TIME + n, "text", None, "complete", text=f"no {n}", sender=sender,
            sender_name=name,
        )  # fmt: skip

    history.store(said(1, "919811000001", "Asha"), said(2, "919811000002", None), said(3, None, None))
    open_first_chat(browser_user)

    expect(browser_user.page.locator(".sender")).to_have_text(["Asha", "+91 98110 00002", "Unknown sender"])
    expect(browser_user.page.get_by_text("The gateway cannot send to groups.")).to_be_visible()


@pytest.mark.long
def test_on_paper_there_is_only_what_was_said(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """A print contains all loaded messages, regardless of their length, and no controls."""
    store_messages(history, 40)
    open_first_chat(browser_user)
    page = browser_user.page
    page.emulate_media(media="print")

    expect(page.locator(".side")).to_be_hidden()
    expect(page.locator(".composer")).to_be_hidden()
    expect(page.locator("button:visible")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollHeight") > 40 * 35
    browser_user.save_screenshot("print")
