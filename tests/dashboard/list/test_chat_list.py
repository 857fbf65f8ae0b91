"""Tests the list of chats: filters, search, the keyboard, and very long lists."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.browser.browser import BrowserUser
from tests.support.browser.dashboard_actions import phone_number
from tests.support.history.history_writer import BASE_TIME, HistoryWriter, message_fact, name_fact

MANY = 100_000
_LEFT_OF_TEXT = """(all) => all.map((one) => {
    const range = document.createRange();
    range.selectNodeContents(one);
    return Math.round(range.getBoundingClientRect().left);
})"""


def test_filters_show_what_they_say_and_follow_what_changes(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """If an unread chat is opened, it stays in place until the reader leaves it. Names of any script begin there."""
    history.store(
        name_fact("محمد علي", phone_number(1)),
        message_fact("a", 1, address=phone_number(1)),
        message_fact("b", 2, address=phone_number(2)),
        message_fact("answer", 3, address=phone_number(2), direction="outgoing"),
        message_fact("c", 4, address="120363041234567890@g.us"),
    )
    history.execute("UPDATE whatsapp_messages SET unread = false")
    history.execute("UPDATE chats SET unread = 0")
    history.store(message_fact("d", 5, address=phone_number(3)))
    page = browser_user.sign_in()
    chat = page.locator("a.chat")

    expect(chat).to_have_count(4)
    assert len(set(page.locator("a.chat .name").evaluate_all(_LEFT_OF_TEXT))) == 1
    page.get_by_role("button", name=re.compile("^Unread")).click()
    expect(chat).to_have_count(1)
    page.get_by_role("button", name="Waiting").click()
    expect(chat).to_have_count(3)
    page.get_by_role("button", name="Groups").click()
    expect(chat).to_have_count(1)
    page.get_by_role("button", name=re.compile("^Unread")).click()
    expect(chat).to_have_count(1)
    history.store(message_fact("e", 6, address=phone_number(2)))
    expect(chat.locator(".preview")).to_have_text(["e", "d"])
    chat.nth(1).click()
    expect(chat.nth(1).locator(".badge")).to_have_count(0)
    expect(chat).to_have_count(2)
    chat.nth(0).click()
    expect(page.locator(".badge")).to_have_count(0)
    page.get_by_role("button", name="All").click()
    page.get_by_role("button", name=re.compile("^Unread")).click()
    expect(page.get_by_role("heading", name="Nothing here just now")).to_be_visible()


@pytest.mark.long
def test_a_search_finds_chats_and_messages_and_leads_to_their_place(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """An old hit opens in the middle of the messages around it."""
    history.store(name_fact("Ravi Traders", phone_number(1)), name_fact("Asha", phone_number(2)))
    history.store(*(message_fact(f"line {n}", n * 1000, address=phone_number(2)) for n in range(300)))
    history.store(
        message_fact("the invoice number is 4711", 150_500, id="hit", address=phone_number(2)),
        message_fact("x", address=phone_number(1)),
    )
    page = browser_user.sign_in()
    page.keyboard.press("Control+k")
    page.keyboard.type("ravi")
    expect(page.locator("a.chat .name")).to_have_text(["Ravi Traders"])
    page.get_by_role("searchbox").fill("invoice 4711")
    expect(page.locator("a.chat mark")).to_have_text(["invoice", "4711"])
    browser_user.save_screenshot("search")
    page.get_by_role("searchbox").press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.locator(".found .said")).to_have_text("the invoice number is 4711")
    expect(page.locator(".found")).to_be_in_viewport()
    expect(page.locator(".said", has_text=re.compile("^line 150$"))).to_be_in_viewport()
    expect(page.locator(".said", has_text=re.compile("^line 299$"))).to_have_count(0)
    page.get_by_role("searchbox", name="Search chats and messages").fill("nowhere to be found")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()


def test_everything_can_be_done_with_the_keyboard(browser_user: BrowserUser, history: HistoryWriter) -> None:
    history.store(*(message_fact(f"from {n}", n, address=phone_number(n)) for n in range(30)))
    page = browser_user.sign_in()
    page.locator("a.chat").first.wait_for()
    page.keyboard.press("Control+k")
    page.keyboard.press("ArrowDown")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_have_text("from 26")
    expect(page.get_by_label("Write a message")).to_be_focused()
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator(".said")).to_have_text("from 25")
    page.get_by_role("button", name="More about this chat").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(":popover-open button").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(":popover-open")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Choose a chat")).to_be_visible()
    page.keyboard.press("End")
    page.keyboard.press("Enter")

    expect(page.locator(".said")).to_have_text("from 0")


@pytest.mark.long
def test_a_hundred_thousand_chats_are_as_light_as_ten(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """The document contains only visible rows, however far the reader scrolls. No row is missing or repeated."""
    history.store(message_fact())
    history.execute(
        """
        INSERT INTO chats (session_id, address, kind, name, last_timestamp)
        SELECT 's1', '9198' || lpad(n::text, 8, '0'), 'phone', 'Customer ' || n, %s - n * 1000
        FROM generate_series(1, %s) AS n
        """,
        BASE_TIME,
        MANY,
    )
    history.execute("ANALYZE chats")
    page = browser_user.sign_in()
    page.locator("a.chat").first.wait_for()
    seen = page.evaluate(
        """async () => {
            const rows = document.querySelector(".rows");
            const names = new Set();
            let most = 0, slowest = 0, empty = 0;
            let last = performance.now();
            for (let step = 0; step < 400; step++) {
                rows.scrollTop += 1500;
                await new Promise(requestAnimationFrame);
                const now = performance.now();
                slowest = Math.max(slowest, now - last);
                last = now;
                most = Math.max(most, document.querySelectorAll(".row").length);
                for (const name of document.querySelectorAll(".row .name")) names.add(name.textContent);
                const box = rows.getBoundingClientRect();
                if (!document.elementFromPoint(box.left + 100, box.top + 300)?.closest(".row")) empty++;
            }
            return { most, slowest, empty, names: names.size, height: rows.scrollHeight };
        }"""
    )
    print(
        f"\n{seen['names']} chats scrolled through, at most {seen['most']} rows, slowest frame {seen['slowest']:.0f} ms"
    )

    assert seen["most"] < 60
    assert seen["names"] > 3000


@pytest.mark.long
def test_on_a_phone_one_side_is_shown_at_a_time(browser_user: BrowserUser, history: HistoryWriter) -> None:
    history.store(name_fact("A name that is much longer than a phone is wide, and then some"), message_fact("w" * 300))
    browser_user.page.set_viewport_size({"width": 360, "height": 740})
    page = browser_user.sign_in()
    expect(page.get_by_role("main")).to_be_hidden()
    browser_user.save_screenshot("phone-list")
    page.locator("a.chat").click()
    expect(page.locator(".side")).to_be_hidden()
    expect(page.locator(".said")).to_be_visible()
    browser_user.save_screenshot("phone-conversation")

    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_role("link", name="Back to the chats").click()
    expect(page.locator("a.chat")).to_be_visible()
