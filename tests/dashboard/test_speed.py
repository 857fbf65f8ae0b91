"""Measures how long a reader waits.

The times are printed and not asserted, because test machines differ from those of readers. HISTORY_DATABASE_URL names a
migrated database to measure on, such as one with ten million messages. Without it, a smaller one is generated.
"""

import os

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser.browser import open_browser_user
from tests.support.history.history_writer import API_TOKEN, BASE_TIME, HistoryWriter, message_fact
from tests.support.processes.api_server import running_api

CHATS, EACH, LARGEST = 100_000, 2, 50_000
_PAINTED = """(of) => new Promise((done) => {
    const painted = () => requestAnimationFrame(() => done(performance.now()));
    const look = () => document.querySelector(of) ? painted() : setTimeout(look, 1);
    look();
})"""
_CLICKED = """async (index) => {
    const row = document.querySelectorAll("a.chat")[index];
    const began = performance.now();
    row.click();
    await new Promise((done) => {
        const look = () => {
            const mine = document.querySelector("a.chat[aria-current]")?.href === location.href;
            const shown = mine && document.querySelector("li[data-key]");
            if (shown) requestAnimationFrame(() => requestAnimationFrame(done));
            else setTimeout(look, 1);
        };
        look();
    });
    return performance.now() - began;
}"""


@pytest.mark.long
@pytest.mark.timeout(600)
def test_first_list_and_a_conversation_are_timed(browser: Browser, database_url: str) -> None:
    """The targets are a list within a second, and fifty messages within 300 ms of the click."""
    named = os.environ.get("HISTORY_DATABASE_URL")
    if not named:
        make_up(HistoryWriter(database_url))
    url_of_database = named or database_url
    with (
        running_api({"DATABASE_URL": url_of_database, "API_TOKEN": API_TOKEN}) as url,
        open_browser_user(browser, url) as somebody,
    ):
        page = somebody.sign_in()
        lists = [listed(page) for _ in range(5)]
        opened = [opened_in(page, index) for index in range(1, min(9, page.locator("a.chat").count()))]
    count = HistoryWriter(url_of_database).rows(
        "SELECT reltuples::bigint FROM pg_class WHERE relname = 'whatsapp_messages'"
    )
    print(f"\non about {count[0][0]:,} messages, ms: list painted {spread(lists)}, conversation {spread(opened)}")

    assert len(lists) == 5
    assert opened


def make_up(history: HistoryWriter) -> None:
    history.store(message_fact())
    history.execute(
        """
        INSERT INTO chats (session_id, address, kind, name, last_timestamp, last_receive_order)
        SELECT 's1', '9198' || lpad(n::text, 8, '0'), 'phone', 'Customer ' || n, %s - n * 1000, 0
        FROM generate_series(1, %s) AS n
        """,
        BASE_TIME,
        CHATS,
    )
    history.execute(
        "INSERT INTO message_keys (session_number, message_id) SELECT 1, 'M' || n FROM generate_series(1, %s) AS n",
        CHATS * EACH + LARGEST,
    )
    history.execute(
        """
        INSERT INTO whatsapp_messages (
            message_id, session_id, direction, message_type, message_text, timestamp, key_id, chat_id, time_source,
            receive_order, content_state, content_rank, content_time, content_tie, unread
        )
        SELECT k.message_id, 's1', CASE WHEN k.key_id %% 3 = 0 THEN 'outgoing' ELSE 'incoming' END, 'text',
            'What number ' || k.key_id || ' has to say about its order', c.last_timestamp - k.key_id, k.key_id,
            c.chat_id, 'message', 0, 'complete', 0, 0, 0, false
        FROM message_keys AS k
        JOIN chats AS c ON c.address = '9198' || lpad(
            (CASE WHEN k.key_id > %(spread)s THEN 5 ELSE 1 + k.key_id %% %(chats)s END)::text, 8, '0'
        )
        WHERE k.message_id LIKE 'M%%'
        """.replace("%(spread)s", str(CHATS * EACH)).replace("%(chats)s", str(CHATS))
    )
    history.execute("UPDATE chats AS c SET last_id = m.id FROM whatsapp_messages AS m WHERE m.chat_id = c.chat_id")
    history.execute("VACUUM ANALYZE")


def listed(page: Page) -> float:
    """Return the time in ms from the start of the navigation to the frame with the first chats."""
    page.reload(wait_until="commit")
    return float(page.evaluate(_PAINTED, "a.chat"))


def opened_in(page: Page, index: int) -> float:
    """Return the time in ms from the click to the frame with the messages."""
    page.wait_for_timeout(200)
    return float(page.evaluate(_CLICKED, index))


def spread(numbers: list[float]) -> str:
    ordered = sorted(numbers)
    return f"{ordered[0]:.0f} to {ordered[-1]:.0f}, median {ordered[len(ordered) // 2]:.0f}"
