"""Tests the messages of the dashboard after a failure, and its use without a mouse or without a keyboard."""

import re
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from dev.checkout import ROOT
from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from tests.dashboard.conftest import write
from tests.support.browser.browser import BrowserUser, open_browser_user
from tests.support.browser.dashboard_actions import mark_all_read
from tests.support.history.history_writer import BASE_TIME, HistoryWriter, message_fact

DASHBOARD = ROOT / "api" / "dashboard"
RAISED = re.compile(r'(?:ApiError\(\s*[\w.]+,|bad_request\()\s*"([a-z_]+)"')
IN_TABLES = re.compile(r'(?:\d{3}: \(|"(?:accepted|failed|unknown)": |get\(error\.status_code, \()"([a-z_]+)"')
DEVANAGARI = re.compile("[\u0900-\u097f]")


def test_every_error_code_has_a_text_in_every_language() -> None:
    """The API's own messages are in English and intended for programmers."""
    sources = {path: path.read_text() for path in (ROOT / "api").rglob("*.py")}
    raised = {code for text in sources.values() for code in RAISED.findall(text)}
    raised |= set(IN_TABLES.findall(sources[ROOT / "api" / "http" / "responses.py"]))
    tables = sources[ROOT / "api" / "sending" / "routes.py"].partition("_ERROR_CODES = ")[2].partition("}")[0]
    raised |= set(IN_TABLES.findall(tables))
    groups = dict(
        re.findall(r'^\t(\w+): "([a-z_ ]+)",$', (DASHBOARD / "server" / "failures.js").read_text(), re.MULTILINE)
    )
    known = {code: group for group, codes in groups.items() for code in codes.split()}
    texts = (DASHBOARD / "texts" / "failures.js").read_text()
    told = {name: (english, hindi) for name, english, hindi in re.findall(r'\terror_(\w+): \["(.+)", "(.+)"\],', texts)}

    assert raised >= {"bad_limit", "method_not_allowed", "refused", "send_unknown", "too_many_exports"}
    assert raised == set(known)
    assert {*groups, "other"} == set(told)
    assert [name for name, (english, _) in told.items() if DEVANAGARI.search(english)] == []
    assert [name for name, (_, hindi) in told.items() if re.search("[A-Za-z]", hindi.replace("{status}", ""))] == []


def test_a_refusal_is_told_in_the_language_of_the_reader(browser_user: BrowserUser) -> None:
    page = browser_user.sign_in()
    page.evaluate("localStorage.setItem('language', 'hi')")
    page.goto(f"{browser_user.url}/#/people")
    page.reload()
    for _ in range(2):
        page.get_by_label("नाम").fill("Asha")
        page.get_by_role("button", name="साइन-इन लिंक बनाएँ").click()
        page.get_by_label("साइन-इन लिंक").wait_for()

    expect(page.locator(".toast")).to_have_text("दूसरा नाम चुनें।")


def test_an_unknown_send_names_its_twin_and_is_dismissed_for_good(
    writer: BrowserUser, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """The response was lost, but the message was sent. The reader sees both and can dismiss the warning."""
    gateway.misbehaviours.enqueue(Misbehaviour("reset_after", "POST /messages/send"))
    page = writer.page
    write(page, "maybe")
    box = page.locator(".state")
    expect(box).to_contain_text("It may have been delivered.")
    at = round(time.time() * 1000) + 1000 - BASE_TIME
    history.store(message_fact("maybe", at, direction="outgoing"), session=gateway.account.session_id)
    expect(box).to_contain_text(re.compile(r"Probably arrived: same text at \d\d:\d\d"))
    writer.save_screenshot("probably-arrived")
    box.get_by_role("button", name="Dismiss").click()
    expect(box).to_have_count(0)
    page.reload()
    page.locator("li.out").first.wait_for()

    expect(box).to_have_count(0)
    expect(page.get_by_role("img", name="Not known whether it was sent")).to_be_visible()


def test_a_question_mark_lists_the_keys(browser_user: BrowserUser) -> None:
    page = browser_user.sign_in()
    page.locator("body").press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_contain_text("The chat that waits longest")
    browser_user.save_screenshot("shortcuts")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("searchbox").press("?")

    expect(page.get_by_role("searchbox")).to_have_value("?")
    expect(dialog).to_have_count(0)


def test_a_dialog_stays_open_when_the_chats_are_loaded(browser_user: BrowserUser) -> None:
    """The dialog was opened while the list was under way. The empty list then shows how to begin, below the dialog."""
    page = browser_user.page
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")

    def answer_late(route: Route) -> None:
        page.locator("body").press("?")
        dialog.wait_for()
        route.continue_()

    page.route("**/api/chats?*", answer_late, times=1)
    browser_user.sign_in()
    expect(page.locator("h2", has_text="Waiting for the first message")).to_have_count(1)

    expect(dialog).to_be_visible()


@pytest.fixture
def phone(browser: Browser, api_url: str, history: HistoryWriter) -> Iterator[Page]:
    """Return a phone with a chat in which everything is read."""
    history.store(message_fact("hello"))
    mark_all_read(history)
    size = {"width": 375, "height": 800}
    with open_browser_user(browser, api_url, viewport=size, has_touch=True, is_mobile=True) as somebody:
        somebody.sign_in().locator("a.chat").wait_for()
        yield somebody.page


@pytest.mark.long
def test_a_finger_swipes_a_chat_to_unread_and_finds_its_targets(phone: Page) -> None:
    """A horizontal swipe has the same effect as the button over the picture. A vertical one scrolls."""
    chat = phone.locator("a.chat")
    swipe(phone, (60, 140))
    expect(chat).not_to_have_class(re.compile("unread"))
    swipe(phone, (40, 0))
    expect(chat).not_to_have_class(re.compile("unread"))
    swipe(phone, (100, 4))
    expect(chat).to_have_class(re.compile("unread"))
    sizes = phone.locator("button:not(.skip):visible, a.quiet:visible, input:visible, select:visible").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect()).map(({ width, height }) => Math.min(width, height))"
    )

    assert phone.evaluate("matchMedia('(pointer: coarse)').matches")
    assert len(sizes) > 5
    assert min(sizes) >= 44


def swipe(page: Page, by: tuple[int, int]) -> None:
    """Swipe over the first chat, whose row may just be drawn again."""
    place = page.evaluate("document.querySelector('a.chat').getBoundingClientRect().toJSON()")
    x, y = place["x"] + 80, place["y"] + 20
    touch = cast("Any", page.context.new_cdp_session(page))
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 6):
        point = {"x": x + by[0] * step / 5, "y": y + by[1] * step / 5}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    touch.detach()
