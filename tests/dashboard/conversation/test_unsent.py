"""Tests that unsent texts are never lost: drafts, and messages that did not reach the server."""

import re

import pytest
from playwright.sync_api import expect

from dev.gateway.server import PretendGateway
from tests.dashboard.conftest import write
from tests.support.browser.browser import BrowserUser
from tests.support.browser.dashboard_actions import open_another_chat, phone_number
from tests.support.history.history_writer import API_TOKEN, HistoryWriter, message_fact


def add_chat(history: HistoryWriter, gateway: PretendGateway) -> None:
    history.store(message_fact("somebody else", address=phone_number(5)), session=gateway.account.session_id)


@pytest.mark.long
def test_a_draft_survives_another_chat_a_reload_and_a_new_sign_in(
    writer: BrowserUser, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """A reader begins an answer, is interrupted, and returns after the browser was restarted."""
    add_chat(history, gateway)
    page = writer.page
    field = page.get_by_label("Write a message")
    field.fill("I will look for")
    page.set_input_files("input[type=file]", {"name": "bill.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"})
    open_another_chat(page, "somebody else")
    expect(field).to_have_value("")
    expect(page.locator("a.chat .preview", has_text="Draft: I will look for")).to_be_visible()
    page.reload()
    open_another_chat(page, "Draft:")
    expect(field).to_have_value("I will look for")
    expect(page.locator(".file")).to_contain_text("bill.pdf")
    page.get_by_label("Settings").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_label("Token").fill(API_TOKEN)
    page.keyboard.press("Enter")
    expect(field).to_have_value("I will look for")

    other = "unsent bootstrap Kumar draft s1\n1"
    page.evaluate("key => localStorage.setItem(key, 'of somebody with a longer name')", other)
    page.get_by_label("Settings").click()
    page.get_by_role("button", name="Sign out, delete drafts here").click()
    page.get_by_label("Token").fill(API_TOKEN)
    page.keyboard.press("Enter")
    expect(field).to_have_value("")
    assert page.evaluate("Object.keys(localStorage)") == [other]


@pytest.mark.long
def test_a_draft_without_a_chat_is_listed_and_another_tab_continues_it(writer: BrowserUser) -> None:
    """The list does not contain the number before the first message."""
    page = writer.page
    page.get_by_role("searchbox").fill("+91 98123 45678")
    open_another_chat(page, "No chat yet")
    field = page.get_by_label("Write a message")
    field.fill("Good morning")
    other_tab = writer.context.new_page()
    other_tab.goto(page.url)
    there = other_tab.get_by_label("Write a message")
    expect(there).to_have_value("Good morning")
    there.fill("Good morning! The kettle is here.")
    expect(field).to_have_value("Good morning! The kettle is here.")
    page.get_by_role("searchbox").press("Escape")
    expect(page.get_by_role("searchbox")).to_have_value("")
    page.get_by_role("searchbox").press("Escape")
    draft = page.locator("a.chat", has_text="Draft: Good morning! The kettle is here.")
    expect(draft.locator(".name")).to_have_text("+91 98123 45678")
    page.reload()

    draft.click()
    expect(field).to_have_value("Good morning! The kettle is here.")
    field.fill("")
    expect(page.locator("a.chat")).to_have_count(1)


@pytest.mark.long
def test_a_message_that_did_not_get_through_stays_and_is_sent_once(
    writer: BrowserUser, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """The key is stored with it, so that a retry after a reload cannot send it twice."""
    add_chat(history, gateway)
    page = writer.page
    page.route("**/api/send", lambda route: (route.fetch(), route.abort())[1], times=1)
    page.route("**/api/stream*", lambda route: route.abort())
    page.reload()
    write(page, "did this arrive?")
    expect(page.locator(".state")).to_contain_text("Trying again cannot send it twice.")
    open_another_chat(page, "somebody else")
    page.route("**/api/send", lambda route: route.abort(), times=1)
    write(page, "and this?")
    expect(page.locator(".state")).to_contain_text("Trying again cannot send it twice.")
    page.unroute("**/api/stream*")
    page.goto(f"{writer.url}/#/")
    page.reload()
    expect(page.locator("a.chat .preview", has_text="Not sent")).to_have_count(2)

    # The server confirms that it has the first one.
    page.locator("a.chat").nth(0).click()
    expect(page.locator("li.out")).to_have_count(1)
    page.locator("a.chat").nth(1).click()
    expect(page.locator("li.out")).to_have_count(1)
    expect(page.locator(".state")).to_have_count(1)
    expect(page.locator("a.chat .preview", has_text="Not sent")).to_have_count(0)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("li.out").get_by_role("img", name=re.compile("^Sent"))).to_be_visible()
    expect(page.locator("li.out")).to_have_count(1)
    assert sorted(one.text or "" for one in gateway.state.delivered_messages()) == ["and this?", "did this arrive?"]


@pytest.mark.long
def test_a_refused_message_can_be_discarded(writer: BrowserUser, gateway: PretendGateway) -> None:
    page = writer.page
    page.set_input_files("input[type=file]", {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": b"not an image"})
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".state.bad")).to_contain_text("It was not sent.")
    expect(page.locator("li.out")).not_to_contain_text("Sent from here")
    page.reload()
    expect(page.locator("li.out")).to_contain_text("x.jpg")

    page.get_by_role("button", name="Discard").click()
    expect(page.locator("li.out")).to_have_count(0)
    page.reload()
    expect(page.locator("li.in")).to_have_count(1)
    expect(page.locator("li.out")).to_have_count(0)
    assert gateway.state.delivered_messages() == []
