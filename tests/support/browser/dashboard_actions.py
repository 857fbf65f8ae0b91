"""Stores histories for the dashboard, and performs actions of its users."""

import hashlib

from playwright.sync_api import Page

from store.ingestion import apply
from store.model.batches import Batch, Event
from store.model.facts import Outcome
from store.postgres import connections
from tests.support.browser.browser import BrowserUser
from tests.support.history.history_writer import BASE_TIME, SENDER_PHONE, HistoryWriter, message_fact

MINUTE_MS = 60_000


def open_first_chat(user: BrowserUser) -> None:
    """Sign in and open the chat at the top of the list."""
    user.sign_in().locator("a.chat").first.click()
    user.page.locator("li[data-key]").first.wait_for()


def open_another_chat(page: Page, text: str) -> None:
    """Open the chat whose row contains the text, and wait until it has replaced the one that is open.

    The browser reports a new address later than the click. Text that is typed before is a draft of the former chat.
    """
    former = page.locator(".conversation").element_handle()
    page.locator("a.chat", has_text=text).click()
    former.wait_for_element_state("hidden")


def store_messages(history: HistoryWriter, count: int, *, start: int = 0, address: str = SENDER_PHONE) -> None:
    """Store messages m0, m1, … one minute apart."""
    numbers = range(start, start + count)
    history.store(*(message_fact(f"text {n}", n * MINUTE_MS, id=f"m{n}", address=address) for n in numbers))


def mark_all_read(history: HistoryWriter) -> None:
    history.execute("UPDATE whatsapp_messages SET unread = false")
    history.execute("UPDATE chats SET unread = 0")


def count_unread(history: HistoryWriter) -> int:
    return history.rows("SELECT count(*) FROM whatsapp_messages WHERE unread")[0][0]


def park_event(history: HistoryWriter, body: bytes) -> None:
    """Store an event of an unknown kind."""
    number = next(history.numbers)
    history.event_count += 1
    outcome = Outcome("parked", "unknown_event", "s1", "call.offer", BASE_TIME)
    event = Event(0, BASE_TIME, body, hashlib.sha256(body).digest(), outcome)
    with connections.open(history.database_url, "test") as connection:
        apply.batches(connection, [Batch(history.writer, number, history.event_count, (event,))])


def phone_number(n: int) -> str:
    return f"9198{n:08d}"
