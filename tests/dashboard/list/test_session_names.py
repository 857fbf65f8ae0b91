"""Tests that sessions have names and colours instead of hexadecimal ids."""

import pytest
from playwright.sync_api import expect

from store.model.facts import SessionReport
from tests.support.browser import axe
from tests.support.browser.browser import BrowserUser
from tests.support.browser.dashboard_actions import phone_number
from tests.support.history.history_writer import BASE_TIME, HistoryWriter, message_fact, name_fact


@pytest.mark.long
def test_a_session_is_named_and_everything_that_shows_it_has_the_name(
    browser_user: BrowserUser, history: HistoryWriter, reader_token: str
) -> None:
    """Before that, the name is its phone's number or, without one, a sequential number."""
    history.store(
        message_fact("one", address=phone_number(1)),
        name_fact("Asha", address=phone_number(1)),
        SessionReport("connected", "919800000001", BASE_TIME),
        session="4f0c1d5e-aa",
    )
    history.store(message_fact("two", 1, address=phone_number(2)), session="b37a9921-bb")
    page = browser_user.sign_in()
    labels = page.locator("a.chat .session")
    expect(labels).to_have_text(["Session 2", "…0001"])
    page.locator("a.chat", has_text="Asha").click()
    head = page.locator(".conversation header .who")
    expect(head).to_contain_text("+91 98000 00001")
    page.goto(f"{browser_user.url}/#/operations")
    row = (
        page.get_by_role("region", name="Sessions").get_by_role("row").filter(has=page.locator("[title='4f0c1d5e-aa']"))
    )
    row.get_by_role("button", name="Name this session").click()
    expect(row).to_contain_text("4f0c1d5e-aa")
    page.keyboard.press("Escape")
    expect(row.get_by_label("Name of the session")).to_have_count(0)
    row.get_by_role("button", name="Name this session").click()
    page.get_by_label("Name of the session").fill("Shop")
    page.get_by_role("radio", name="Pink").check()
    browser_user.save_screenshot("session-name")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert axe.obstacles(page) == [], scheme
    page.keyboard.press("Enter")

    expect(row.get_by_role("rowheader")).to_contain_text("Shop+91 98000 00001")
    expect(labels).to_have_text(["Session 2", "Shop"])
    expect(page.get_by_label("Session", exact=True).locator("option")).to_have_text(
        ["All sessions", "Shop", "Session 2"]
    )
    assert labels.last.locator(".swatch").get_attribute("style") == "--hue: 350;"
    page.locator("a.chat", has_text="Asha").click()
    expect(head).to_contain_text("Shop")
    browser_user.save_screenshot("session-named")
    page.goto(f"{browser_user.url}/#token={reader_token}")
    page.get_by_role("button", name="Sign in as reader").click()
    page.goto(f"{browser_user.url}/#/operations")
    expect(row).to_contain_text("Shop")
    expect(page.get_by_role("button", name="Name this session")).to_have_count(0)
