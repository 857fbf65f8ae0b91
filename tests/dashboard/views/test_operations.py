"""Tests the view for operators."""

import re

import pytest
import requests
from playwright.sync_api import expect

from store.ledger import acceptance
from store.ledger.losses import LOST_AFTER, SILENT_AFTER, BatchRange
from store.ledger.writers import Heartbeat
from store.model.facts import SessionReport
from store.postgres import connections
from tests.support.browser.browser import BrowserUser
from tests.support.browser.dashboard_actions import park_event
from tests.support.history.history_writer import API_TOKEN, BASE_TIME, HistoryWriter, message_fact
from tests.support.history.ledger_scene import LedgerScene


def test_an_operator_sees_the_ledger_the_sessions_and_what_is_parked(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """Every figure equals that of the API. If no worker runs, the view says so instead of showing 0."""
    history.store(message_fact(), message_fact(), SessionReport("disconnected", "919811000009", BASE_TIME))
    park_event(history, b'{"event":"call.offer","from":"<b>x</b>"}')
    page = browser_user.sign_in()
    page.get_by_role("link", name="Operations").click()
    ledger = page.locator(".card", has=page.get_by_role("heading", name="What became of every event"))
    sessions = page.get_by_role("region", name="Sessions")

    expect(ledger.get_by_role("row", name="Stored")).to_contain_text("3")
    expect(ledger.get_by_role("row", name="Received")).to_contain_text("4")
    expect(page.locator(".figures .bad")).to_contain_text("No worker is running")
    expect(sessions).to_contain_text("+91 98110 00009")
    expect(sessions).to_contain_text("disconnected")
    expect(sessions).to_contain_text("messages from the phone, receipts")
    expect(page.locator(".parked")).to_contain_text("An unknown kind of event")
    page.get_by_text("Show the event").click()
    expect(page.locator(".parked pre")).to_have_text('{"event":"call.offer","from":"<b>x</b>"}')
    browser_user.save_screenshot("operations-parked")


def test_the_outages_of_every_session_are_listed(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """The list covers the whole system and not only one chat. One of the outages is not over yet."""
    history.store(message_fact())
    for first, ended in ((BASE_TIME, BASE_TIME + 60_000), (BASE_TIME + 120_000, None)):
        history.execute(
            "INSERT INTO outages (session_id, kind, connected_at, first_at, last_at, ended_at, reason)"
            " VALUES ('s1', 'disconnected', %s, %s, %s, %s, 'disconnected')",
            first, first + 1000, first + 2000, ended,
        )  # fmt: skip
    page = browser_user.sign_in()
    page.goto(f"{browser_user.url}/#/operations")

    expect(page.locator(".outages .outage")).to_have_text(
        [
            re.compile(r"Gateway offline, 15 Jun 2025, 20:38 to now: messages may be missing"),
            re.compile(r"Gateway offline, 20:36 to 20:37: messages may be missing"),
        ]
    )


@pytest.mark.long
def test_the_last_hour_is_drawn(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """The chart is also described in words."""
    history.store(*(message_fact(f"{n}") for n in range(7)))
    history.execute("UPDATE whatsapp_messages SET timestamp = extract(epoch FROM now()) * 1000 - 600000")
    page = browser_user.sign_in()
    page.goto(f"{browser_user.url}/#/operations")

    expect(page.get_by_role("img", name=re.compile("incoming: 7, outgoing: 0"))).to_be_visible()
    assert page.locator(".chart rect").count() in {1, 2}


@pytest.mark.long
def test_figures_are_what_the_api_says(browser_user: BrowserUser, history: HistoryWriter) -> None:
    history.store(*(message_fact(f"{n}") for n in range(12)))
    told = requests.get(
        f"{browser_user.url}/api/ledger", headers={"authorization": f"Bearer {API_TOKEN}"}, timeout=30
    ).json()["data"]
    page = browser_user.sign_in()
    page.goto(f"{browser_user.url}/#/operations")

    expect(page.locator(".figures")).to_contain_text(str(told["received"]))


def test_losses_that_were_accepted_and_what_is_unknown_are_shown_apart(
    browser_user: BrowserUser, history: HistoryWriter
) -> None:
    """An accepted loss stays visible, and if an ingest is silent, the view names its host."""
    with connections.open(history.database_url, "test") as connection:
        scene = LedgerScene(connection)
        scene.store(1)
        scene.store(3)
        scene.age(LOST_AFTER + 2)
        scene.observe(scene.heartbeat(3))
        acceptance.accept_loss(connection, BatchRange(scene.writer, 2, 2), reason="fire", accepted_by="asha")
        scene.observe(Heartbeat("ab" * 16, 1, 0, 0, 250, "ingest-b", ended=False))
        scene.age(SILENT_AFTER + 1)
        scene.observe(scene.heartbeat(3))
        scene.age(-600)  # because a browser takes longer to start than an observation is valid
    page = browser_user.sign_in()
    page.goto(f"{browser_user.url}/#/operations")
    ledger = page.locator(".card", has=page.get_by_role("heading", name="What became of every event"))

    expect(ledger.get_by_role("row", name="Written off")).to_contain_text("10")
    expect(ledger.get_by_role("row", name="Received")).to_contain_text("adds up")
    expect(page.locator(".figures .bad")).to_contain_text("250in the spool of a silent ingest on ingest-b")
