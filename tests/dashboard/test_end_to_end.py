"""Tests the dashboard with the whole system as started by ./run, including kills."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from dev.embedded import data_folder
from dev.gateway import message_reports
from dev.gateway.server import PretendGateway
from dev.supervisor.stack import LocalStack
from tests.support.browser import axe
from tests.support.browser.browser import BrowserUser, open_browser_user
from tests.support.browser.dashboard_actions import park_event
from tests.support.history.history_writer import HistoryWriter

PHONE = "919811000001"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def gateway() -> Iterator[PretendGateway]:
    with PretendGateway() as found:
        yield found


@pytest.fixture(scope="module")
def stack(gateway: PretendGateway) -> Iterator[LocalStack]:
    folder = data_folder.create_temporary()
    system = LocalStack(folder / "data", gateway.account.to_environ(gateway.base_url))
    with system:
        secret = (folder / "data" / "webhook-secret").read_text().strip()
        gateway.state.register(system.webhook_url, ["message.received"], secret)
        yield system
    shutil.rmtree(folder)


@pytest.fixture
def reader(browser: Browser, stack: LocalStack) -> Iterator[BrowserUser]:
    with open_browser_user(browser, stack.api_url) as somebody:
        yield somebody


def received(gateway: PretendGateway, text: str, phone: str = PHONE) -> dict[str, Any]:
    """Return an event as the gateway sends it."""
    return {
        "event": "message.received",
        "sessionId": gateway.account.session_id,
        "from": f"{phone}@s.whatsapp.net",
        "messageId": f"3EB0{time.time_ns():X}",
        "timestamp": int(time.time()),
        "type": "conversation",
        "text": text,
        "from_number": f"+{phone}",
        "pushName": "Asha",
    }


def post(gateway: PretendGateway, text: str, phone: str = PHONE) -> None:
    """Post a signed webhook."""
    assert [
        result.status
        for result in message_reports.deliver_to_subscribers(gateway.state, received(gateway, text, phone))
    ] == [200]


def test_a_webhook_becomes_a_message_on_the_screen(
    reader: BrowserUser, gateway: PretendGateway, stack: LocalStack
) -> None:
    """The test covers the whole path: gateway, ingest, queue, worker, database, feed, stream and page."""
    page = reader.sign_in(stack.token)
    post(gateway, "Do you have this in stock?")
    expect(page.locator("a.chat .preview")).to_contain_text("Do you have this in stock?")
    page.locator("a.chat").click()
    began = time.perf_counter()
    post(gateway, "And in blue?")
    expect(page.locator(".said").last).to_have_text("And in blue?")
    print(f"\nfrom the gateway to the screen: {(time.perf_counter() - began) * 1000:.0f} ms")
    page.get_by_label("Write a message").fill("Yes")
    page.keyboard.press("Enter")

    expect(page.locator("li.out")).to_have_count(1)


def test_a_test_event_goes_the_whole_way_and_leaves_no_message(reader: BrowserUser, stack: LocalStack) -> None:
    """Each step is ticked when it is done, by ingest, a worker and this page."""
    history = HistoryWriter((stack.data_dir / "database-url").read_text().strip())
    incoming = "SELECT count(*) FROM whatsapp_messages WHERE direction = 'incoming'"
    before = history.rows(incoming)
    page = reader.sign_in(stack.token)
    page.goto(f"{stack.api_url}/#/start")
    expect(page.locator("pre").first).to_have_text(stack.webhook_url)
    page.get_by_role("button", name="Send a test event").click()
    expect(page.locator(".steps").get_by_role("img", name="Done")).to_have_count(3)
    reader.save_screenshot("start")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert axe.obstacles(page) == [], scheme
    page.get_by_role("button", name="Remove the test event").click()

    expect(page.get_by_text("Removed; it stays in the count of events.")).to_be_visible()
    assert history.rows(incoming) == before
    assert history.rows("SELECT count(*) FROM event_digests WHERE outcome = 'ping'") == [(1,)]
    assert history.rows("SELECT count(*) FROM raw_events WHERE body LIKE '%%\"test\"%%'") == [(0,)]


def test_an_api_that_dies_is_missed_in_words_and_nothing_is_missing_after(
    reader: BrowserUser, gateway: PretendGateway, stack: LocalStack
) -> None:
    """Messages that arrived in the meantime appear once, without a reload of the page."""
    page = reader.sign_in(stack.token)
    for n in range(3):
        post(gateway, f"before {n}", "919811000007")
    page.locator("a.chat", has_text="before 2").click()
    expect(page.locator(".said")).to_have_count(3)
    page.evaluate("window.mark = 'the same page'")
    api = stack.pid_of("api")
    os.kill(api, signal.SIGSTOP)
    os.kill(api, signal.SIGKILL)
    for n in range(5):
        post(gateway, f"meanwhile {n}", "919811000007")

    expect(page.locator(".said")).to_have_count(8, timeout=30_000)
    expect(page.locator(".said").last).to_have_text("meanwhile 4")
    assert page.evaluate("window.mark") == "the same page"


@pytest.mark.timeout(300)
def test_an_api_that_hangs_is_noticed_and_its_return_too(
    reader: BrowserUser, gateway: PretendGateway, stack: LocalStack
) -> None:
    """It accepts connections but never responds, so there is no error and only a timeout can detect it."""
    page = reader.sign_in(stack.token)
    post(gateway, "before", "919811000009")
    page.locator("a.chat", has_text="before").click()
    expect(page.locator(".said")).to_have_text(["before"])
    os.kill(stack.pid_of("api"), signal.SIGSTOP)
    try:
        post(gateway, "meanwhile", "919811000009")
        expect(page.locator(".notice")).to_contain_text("No connection since", timeout=90_000)
    finally:
        os.kill(stack.pid_of("api"), signal.SIGCONT)

    expect(page.locator(".notice")).to_be_hidden(timeout=60_000)
    expect(page.locator(".said")).to_have_text(["before", "meanwhile"], timeout=60_000)


def test_parked_events_are_retried_on_request(reader: BrowserUser, gateway: PretendGateway, stack: LocalStack) -> None:
    """The parser supports one of these events by now, but not the other."""
    history = HistoryWriter((stack.data_dir / "database-url").read_text().strip())
    park_event(history, b'{"event":"call.offer"}')
    page = reader.sign_in(stack.token)
    page.goto(f"{stack.api_url}/#/operations")
    parked = page.locator(".parked > li")
    expect(parked).to_have_count(1)
    parked.get_by_role("button", name="Try again").click()
    expect(page.locator(".toast")).to_have_text("It is still not understood.", timeout=30_000)
    park_event(history, json.dumps(received(gateway, "understood by now", "919811000008")).encode())
    page.reload()
    expect(parked).to_have_count(2)
    parked.filter(has_text="understood by now").get_by_role("button", name="Try again").click()

    expect(page.locator(".toast")).to_have_text("It was understood.", timeout=30_000)
    expect(parked).to_have_count(1)
    expect(page.locator("a.chat", has_text="understood by now")).to_be_visible()


def test_a_server_that_stays_away_is_told_and_its_return_too(browser: Browser, gateway: PretendGateway) -> None:
    """The whole system is stopped and restarted with its data. The open page shows this and continues."""
    folder = data_folder.create_temporary()
    port = {"API_PORT": "0"}
    system = LocalStack(folder / "data", port | gateway.account.to_environ(gateway.base_url))
    system.start()
    try:
        with open_browser_user(browser, system.api_url) as somebody:
            page = somebody.sign_in(system.token)
            expect(page.get_by_text("No chats yet")).to_be_visible()
            page.wait_for_timeout(500)
            system.stop()
            expect(page.locator(".notice")).to_contain_text("No connection since", timeout=20_000)
            somebody.save_screenshot("offline")
            again = LocalStack(folder / "data", {"API_PORT": system.api_url.rpartition(":")[2]})
            with again:
                expect(page.locator(".notice")).to_be_hidden(timeout=30_000)
    finally:
        if system.is_running:
            system.stop()
        shutil.rmtree(folder)
