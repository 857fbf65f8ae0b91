"""Tests the management of access, as an admin sees it."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser.browser import BrowserUser, open_browser_user
from tests.support.history.history_writer import API_TOKEN, HistoryWriter, message_fact
from tests.support.processes.api_server import running_api
from tests.support.servers.identity_provider import IdentityProvider


@pytest.mark.long
def test_an_admin_lets_somebody_in_by_a_link_and_shuts_the_door(
    browser: Browser, browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """The test covers the settings, a phone that scans the code, and the log of these actions."""
    history.store(message_fact("hello"))
    page = browser_user.sign_in()
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="People").click()
    page.get_by_label("Name").fill("Asha <b>")
    page.get_by_label("Rights").select_option("May read and write")
    page.get_by_label("Expires").select_option("in 7 days")
    page.get_by_role("button", name="Make a sign-in link").click()
    link = page.get_by_label("Sign-in link").input_value()
    code = page.get_by_role("img", name="QR code of the link for Asha <b>")
    expect(code).to_be_visible()
    assert code.evaluate("(image) => image.decode().then(() => image.naturalWidth > 0)")
    browser_user.save_screenshot("people")
    row = page.get_by_role("region", name="Who has access").get_by_role("row", name=re.compile("Asha <b>"))
    other_tab = browser_user.context.new_page()
    other_tab.goto(f"{browser_user.url}/#/people")
    expect(other_tab.get_by_role("row", name=re.compile("Asha <b>")).first).to_be_visible()
    with open_browser_user(browser, browser_user.url) as asha:
        asha.page.goto(link)
        expect(asha.page.locator("a.chat")).to_have_count(1)
        asha.page.get_by_role("button", name="Settings").click()
        expect(asha.page.get_by_role("button", name="Sign out")).to_be_visible()
        expect(asha.page.get_by_role("button", name="People")).to_have_count(0)
        asha.page.keyboard.press("Escape")
        row.get_by_role("button", name="Change Asha <b>").click()
        page.get_by_role("button", name="Revoke now").click()
        expect(row).to_contain_text("revoked")
        expect(asha.page.get_by_role("alert")).to_contain_text("You are signed out", timeout=20_000)

    log = page.get_by_role("region", name="What was done")
    expect(log.locator("tbody tr").nth(0)).to_contain_text("Revoked access")
    there = other_tab.get_by_role("region", name="Who has access").get_by_role("row", name=re.compile("Asha <b>"))
    expect(there).to_contain_text("revoked", timeout=15_000)
    expect(log.locator("tbody tr").nth(1)).to_contain_text(re.compile("Owner.*Let somebody in.*Asha <b>"))


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(browser: Browser, api_url: str, scheme: str) -> None:
    """Nothing is cut off, and only tables scroll horizontally."""
    with open_browser_user(browser, api_url, viewport={"width": 375, "height": 800}, color_scheme=scheme) as somebody:
        page = somebody.sign_in()
        page.goto(f"{somebody.url}/#/people")
        page.get_by_label("Name").fill("Asha")
        page.get_by_role("button", name="Make a sign-in link").click()
        expect(page.get_by_label("Sign-in link")).to_be_visible()
        somebody.save_screenshot(f"people-phone-{scheme}")

        assert page.evaluate("document.querySelector('.operations > div').scrollWidth") <= 375


@pytest.mark.long
def test_somebody_signs_in_with_the_account_of_an_organisation(browser: Browser, database_url: str) -> None:
    """It needs one click. If the account has no access here, the page says why."""
    with IdentityProvider() as provider:
        environ = {"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, **provider.environ()}
        with running_api(environ) as url, open_browser_user(browser, url) as asha:
            provider.redirect_url = f"{url}/sign-in/callback"
            provider.person = {"sub": "u9"}
            asha.page.goto(url)
            asha.page.get_by_role("link", name="Sign in with your organisation").click()
            expect(asha.page.get_by_role("alert")).to_contain_text("Your account has no access here")
            asha.save_screenshot("single-sign-on")
            provider.person = {"sub": "u1", "email": "asha@shop.example", "email_verified": True}
            asha.page.get_by_role("link", name="Sign in with your organisation").click()

            expect(asha.page.get_by_text("No chats yet")).to_be_visible()
            assert asha.page.url == f"{url}/"
