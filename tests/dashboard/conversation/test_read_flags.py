"""Tests earlier texts of messages, and marking chats as unread or as read."""

import time

import pytest
from playwright.sync_api import Route, expect

from store.model.facts import Edit
from tests.support.browser.browser import BrowserUser
from tests.support.browser.dashboard_actions import (
    MINUTE_MS,
    count_unread,
    mark_all_read,
    open_first_chat,
    phone_number,
    store_messages,
)
from tests.support.history.history_writer import BASE_TIME, SENDER_PHONE, HistoryWriter, message_fact, name_fact


@pytest.mark.long
def test_texts_before_edits_are_shown_on_request(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """The earlier texts are requested, shown and hidden again."""
    history.store(message_fact("5 pieces for 40", 0, id="a"), message_fact("Thank you", 9000, id="b"))
    history.store(
        Edit("a", SENDER_PHONE, "incoming", None, "5 pieces for 45", BASE_TIME + 3000),
        Edit("a", SENDER_PHONE, "incoming", None, "5 pieces for 50", BASE_TIME + 6000),
    )
    open_first_chat(browser_user)
    page = browser_user.page
    edited = page.get_by_role("button", name="edited")
    edited.click()
    earlier = page.get_by_role("list", name="Earlier texts").get_by_role("listitem")

    expect(earlier.locator("span")).to_have_text(["5 pieces for 40", "5 pieces for 45"])
    expect(earlier.locator("small").first).to_have_text("15 Jun 2025, 20:36")
    expect(page.locator(".said").first).to_have_text("5 pieces for 50")
    browser_user.save_screenshot("versions")
    edited.click()
    expect(earlier).to_have_count(0)


def test_a_chat_is_marked_as_unread_in_it_and_stays_so_until_it_is_opened(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """The mark is a reminder. It changes no message, and ends when the chat is opened."""
    store_messages(history, 3)
    mark_all_read(history)
    open_first_chat(browser_user)
    page = browser_user.page
    page.get_by_role("button", name="More about this chat").click()
    page.get_by_role("button", name="Mark as unread").last.click()
    expect(page.get_by_role("heading", name="Choose a chat")).to_be_visible()
    expect(page.locator(".badge")).to_contain_text("marked as unread")
    assert count_unread(history) == 0
    page.locator("a.chat").click()

    expect(page.locator(".said")).to_have_count(3)
    expect(page.locator(".badge")).to_have_count(0)


@pytest.mark.long
def test_a_message_that_arrives_during_loading_is_not_missed(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """The page was read before the message was stored, and the stream delivered the message before the page arrived."""
    store_messages(history, 3)
    mark_all_read(history)

    def late(route: Route) -> None:
        answer = route.fetch()
        history.store(message_fact("in between", 5 * MINUTE_MS, id="between", direction="outgoing"))
        time.sleep(1)  # so that the stream is faster
        route.fulfill(response=answer)

    page = browser_user.sign_in()
    page.route(f"**/api/chats/{SENDER_PHONE}?**", late, times=1)
    page.locator("a.chat").click()

    expect(page.locator(".said")).to_have_text(["text 0", "text 1", "text 2", "in between"])


def test_a_conversation_that_could_not_be_loaded_says_so_until_it_can(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """A message that arrives meanwhile must not look like the whole conversation."""
    store_messages(history, 3)
    page = browser_user.sign_in()
    page.route(f"**/api/chats/{SENDER_PHONE}?**", lambda route: route.abort(), times=1)
    page.locator("a.chat").click()
    history.store(message_fact("just now", 5 * MINUTE_MS, id="new"))
    expect(page.locator("a.chat .preview")).to_have_text("just now")
    expect(page.get_by_text("The server does not answer.")).to_be_visible()
    expect(page.locator(".said")).to_have_count(0)
    browser_user.save_screenshot("not-loaded")
    page.get_by_role("button", name="Try again").click()

    expect(page.locator(".said")).to_have_count(4)


@pytest.mark.long
def test_a_name_is_known_even_where_the_list_does_not_reach(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """A link or a reload opens a chat before, or without, the page of the list that contains it."""
    history.store(name_fact("Asha", "919811099999"), message_fact("old", -MINUTE_MS, address="919811099999"))
    history.execute(
        "INSERT INTO chats (session_id, address, kind, last_timestamp)"
        " SELECT 's1', '9198' || lpad(n::text, 8, '0'), 'phone', %s + n FROM generate_series(1, 150) AS n",
        BASE_TIME,
    )
    browser_user.sign_in()
    browser_user.page.goto(f"{browser_user.url}/#/chat/s1/919811099999")
    browser_user.page.reload()

    expect(browser_user.page.locator(".who")).to_contain_text("Asha")
    expect(browser_user.page).to_have_title("Asha · History")


def test_a_chat_is_marked_from_the_list(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """It works with the mouse and the keyboard, in both directions, and without opening the chat."""
    history.store(message_fact("a", 1, address=phone_number(1)), message_fact("b", 2, address=phone_number(2)))
    page = browser_user.sign_in()
    first = page.locator(".row").first
    first.hover()
    first.get_by_role("button", name="Mark as read").click()
    expect(first.locator(".badge")).to_have_count(0)
    first.get_by_role("link").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(first.locator(".badge")).to_have_text("marked as unread")
    assert history.rows("SELECT count(*) FROM whatsapp_messages WHERE unread") == [(1,)]
    expect(page.get_by_role("heading", name="Choose a chat")).to_be_visible()
