"""Tests notifications, and the page as an installed application."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from api.http import static
from api.http.public_page import PublicPage
from dev.embedded.child_process import wait_until
from tests.support import requirements
from tests.support.browser import axe
from tests.support.browser.browser import ARGUMENTS, BrowserUser, open_browser_user
from tests.support.browser.dashboard_actions import open_first_chat, phone_number
from tests.support.browser.notifications import CLICK, SHOWN, SUBSCRIBED, push, recording_worker
from tests.support.history.history_writer import API_TOKEN, SENDER_PHONE, HistoryWriter, message_fact, name_fact
from tests.support.history.recent_messages import message_now
from tests.support.processes.api_server import running_api
from tests.support.servers.push_service import Device, PushService, push_variables

KEPT = """async () => {
    const found = {};
    for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const request of await cache.keys())
            found[new URL(request.url).pathname] = await (await cache.match(request)).text();
    }
    return found;
}"""


@pytest.fixture
def browser(browser: Browser) -> Iterator[Browser]:
    """Return a full Chromium, because the headless shell grants no notifications."""
    requirements.require("notifications")
    with browser.browser_type.launch(executable_path=requirements.WHOLE_CHROMIUM, args=list(ARGUMENTS)) as whole:
        yield whole


@pytest.fixture
def push_service() -> Iterator[PushService]:
    with PushService() as service:
        yield service


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """Return an API that notifies devices."""
    with running_api({"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, **push_variables()}) as url:
        yield url


@pytest.fixture
def device(push_service: PushService) -> Device:
    return Device(f"{push_service.url}/device")


@pytest.fixture
def user(browser: Browser, url: str, device: Device) -> Iterator[BrowserUser]:
    """Return a person whose browser may show notifications."""
    with open_browser_user(browser, url, service_workers="allow", permissions=["notifications"]) as user:
        user.context.add_init_script(SUBSCRIBED % json.dumps(device.subscription()))
        yield user


def upgrade(file: static.StaticFile, old: bytes, new: bytes) -> None:
    """Make a running API serve another version of the file."""
    page = PublicPage.of(file.page.body.replace(old, new), {**file.page.headers, "etag": '"upgraded"'})
    object.__setattr__(file, "page", page)
    object.__setattr__(file, "etag", '"upgraded"')


@pytest.mark.long
def test_a_device_is_told_once_of_what_it_asked_for(
    user: BrowserUser, url: str, history: HistoryWriter, push_service: PushService, device: Device
) -> None:
    """Two pages and the push service deliver it. Initially, notifications have no sound and no text."""
    history.store(message_fact("before"), name_fact("Asha"), message_fact("before", address=phone_number(1)))
    page = user.sign_in()
    worker = recording_worker(user)
    preview = page.locator("a.chat .preview").first
    history.store(message_now("unasked"))
    expect(preview).to_have_text("unasked")
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Notifications").press("Enter")
    dialog = page.get_by_role("dialog", name="Notifications")
    expect(dialog.get_by_label("With a sound")).to_be_disabled()
    dialog.get_by_label("Notify me on this device").press("Space")
    expect(dialog.get_by_role("status")).to_have_text("You are told even while this page is closed.")
    assert axe.obstacles(page) == []
    user.save_screenshot("notifications")
    page.set_viewport_size({"width": 375, "height": 800})
    user.save_screenshot("notifications_narrow")
    page.set_viewport_size({"width": 1280, "height": 800})
    other = user.context.new_page()
    other.goto(url)
    expect(other.locator("a.chat .preview").first).to_have_text("unasked")

    history.store(message_now("quiet"), message_now("a status", "status@broadcast"), message_now("old", age_ms=900_000))
    assert wait_until(lambda: worker.evaluate("log.length") == 1 and bool(push_service.requests), 20)
    expect(other.locator("a.chat", has_text="Asha").locator(".preview")).to_have_text("quiet")
    push(page, url, push_service.notifications(device)[0])
    dialog.get_by_label("Show the text, even on a locked screen").check()
    dialog.get_by_label("With a sound").check()
    history.store(message_now("aloud"))
    assert wait_until(lambda: (worker.evaluate("log.length"), len(push_service.requests)) == (2, 2), 20)
    dialog.get_by_role("button", name="Close").click()
    assert page.evaluate(SHOWN) == [["Asha", "aloud"]]

    worker.evaluate(CLICK)
    assert wait_until(lambda: any("#/chat/" in one.evaluate("location.hash") for one in (page, other)), 10)
    reader = next(one for one in (page, other) if "#/chat/" in one.evaluate("location.hash"))
    reader.get_by_role("button", name="More about this chat").click()
    reader.get_by_role("button", name="No notifications on this device").click()
    history.store(message_now("muted"), message_now("of another", phone_number(1)))
    assert wait_until(lambda: worker.evaluate("log.length") == 3, 10)
    assert wait_until(lambda: len(push_service.requests) == 3, 20)
    assert worker.evaluate("log") == [
        ["Asha", "New message", True],
        ["Asha", "aloud", False],
        ["+91 98000 00001", "of another", False],
    ]
    assert [one["text"] for one in push_service.notifications(device)] == ["", "aloud", "of another"]

    history.execute("UPDATE chats SET unread = 0")
    page.reload()
    assert wait_until(lambda: page.evaluate(SHOWN) == [], 10)
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Sign out").first.click()
    page.get_by_role("heading", name="Sign in").wait_for()
    assert page.evaluate("localStorage.subscribed") is None
    assert history.rows("SELECT FROM push_subscriptions") == []


def show_notification(user: BrowserUser, history: HistoryWriter) -> Page:
    """Return a page that shows a notification of a message from Asha."""
    history.store(message_fact("before"), name_fact("Asha"))
    page = user.sign_in()
    page.locator("a.chat").wait_for()
    recording_worker(user)
    page.evaluate("localStorage.alerts = JSON.stringify({ on: true })")
    history.store(message_now("hello"))
    assert wait_until(lambda: page.evaluate(SHOWN) == [["Asha", "New message"]], 10)
    return page


@pytest.mark.long
def test_what_is_read_elsewhere_is_no_longer_shown(user: BrowserUser, url: str, history: HistoryWriter) -> None:
    page = show_notification(user, history)

    read = {"session_id": "s1", "read": True}
    answer = page.request.post(
        f"{url}/api/chats/{SENDER_PHONE}/read", data=read, headers={"authorization": f"Bearer {API_TOKEN}"}
    )

    assert answer.ok, answer.text()
    assert wait_until(lambda: page.evaluate(SHOWN) == [], 10)


@pytest.mark.long
def test_a_notification_stays_until_its_chat_is_read_even_among_hundreds(
    user: BrowserUser, history: HistoryWriter
) -> None:
    """The chat is on the second page of unread chats, all of which the dashboard requests when it is opened."""
    page = show_notification(user, history)
    page.goto("about:blank")
    history.store(*(message_now("newer", phone_number(n)) for n in range(500)))

    with page.expect_response(lambda answer: "unread=true&limit" in answer.url and "cursor=" in answer.url):
        page.goto(user.url)
    page.locator("a.chat").first.wait_for()
    assert page.evaluate(SHOWN) == [["Asha", "New message"]]

    history.execute("UPDATE chats SET unread = 0 WHERE address = %s", SENDER_PHONE)
    page.reload()
    assert wait_until(lambda: page.evaluate(SHOWN) == [], 10)


@pytest.mark.long
def test_the_page_opens_without_a_server_and_is_new_after_an_upgrade(
    browser: Browser, database_url: str, history: HistoryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service worker caches the files of the page but nothing of the API, and uses the reader's language."""
    history.store(message_fact("a secret of the history"), name_fact("Asha"))
    served = static.load()
    monkeypatch.setattr(static, "load", lambda: served)
    options: dict[str, Any] = {"service_workers": "allow", "permissions": ["notifications"], "locale": "hi-IN"}
    server = running_api({"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN})
    url = server.__enter__()
    with open_browser_user(browser, url, **options) as user:
        open_first_chat(user)
        page = user.page
        worker = recording_worker(user)
        assert wait_until(lambda: "/assets/views/today.js" in page.evaluate(KEPT), 10)
        kept = page.evaluate(KEPT)
        push(page, url, {"session": "s1", "address": SENDER_PHONE, "id": 1, "name": "", "text": ""})
        assert wait_until(lambda: page.evaluate(SHOWN) == [[f"+{SENDER_PHONE}", "नया संदेश"]], 10)
        upgrade(served.assets["page/title.js"], b"let shown", b"globalThis.upgraded=1;let shown")
        for file in (served.service_worker, served.page):
            upgrade(file, served.version.encode(), b"upgraded")
        page.reload()
        assert page.evaluate("upgraded") == 1
        assert wait_until(lambda: "upgraded" in page.evaluate("caches.keys().then((names) => names.join())"), 10)
        assert wait_until(lambda: page.evaluate("caches.keys().then((names) => names.length)") == 1, 10)
        # An open stream would delay the end of the server.
        page.goto("about:blank")
        server.__exit__(None, None, None)
        page.goto(url)
        expect(page.get_by_role("heading", name="सर्वर जवाब नहीं दे रहा।")).to_be_visible()
        assert page.evaluate("upgraded") == 1

    assert worker.url == f"{url}/service-worker.js?hi"
    assert "/" in kept
    assert not [path for path in kept if path.startswith("/api")]
    assert not [path for path, text in kept.items() if "a secret of the history" in text]
