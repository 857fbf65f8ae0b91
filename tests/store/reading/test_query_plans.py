"""Tests the query plans of the most frequent requests of a dashboard."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from store.postgres import pool
from store.postgres.connections import Connection
from store.reading import change_feed, statistics
from store.reading.chats import chat_list, chat_profile
from store.reading.fragments.chat_scope import ChatScope
from store.reading.messages import message_pages
from store.reading.messages.message_pages import MessageQuery
from store.reading.search import search, search_terms

CHATS, MESSAGES, BIG = 2_000, 60_000, 20_000
FILL = """
INSERT INTO sessions (session_id) VALUES ('s1'), ('s2');
INSERT INTO chats (session_id, address, kind)
SELECT 's' || (1 + i % 2), '9198' || lpad(i::text, 8, '0'), 'phone' FROM generate_series(1, 2000) AS i;
INSERT INTO message_keys (session_number, message_id) SELECT 1 + i % 2, 'M' || i FROM generate_series(1, 60000) AS i;
INSERT INTO whatsapp_messages (message_id, session_id, direction, message_type, message_text, timestamp, key_id,
    chat_id, time_source, receive_order, content_state, content_rank, content_time, content_tie, unread)
SELECT k.message_id, s.session_id, CASE WHEN k.key_id % 3 < 2 THEN 'incoming' ELSE 'outgoing' END, 'text',
    'order ' || k.key_id, 1700000000000 + k.key_id * 1000, k.key_id,
    CASE WHEN k.key_id % 3 = 0 THEN 1 ELSE 1 + k.key_id % 2000 END, 'message', k.key_id, 'complete', 1, 1, 1,
    k.key_id % 97 = 0
FROM message_keys AS k
JOIN sessions AS s USING (session_number);
INSERT INTO message_updates (key_id, kind, digest, chat_id, direction, occurred_at, text)
SELECT key_id, 'reaction', sha256(key_id::text::bytea), chat_id, 'incoming', timestamp, 'x'
FROM whatsapp_messages WHERE key_id % 20 = 0;
UPDATE chats AS c
SET last_timestamp = m.timestamp, last_receive_order = m.receive_order, last_id = m.id,
    unread = (c.chat_id % 50 = 0)::int,
    waiting_since = CASE WHEN c.chat_id % 50 = 1 THEN m.timestamp END
FROM (SELECT DISTINCT ON (chat_id) * FROM whatsapp_messages ORDER BY chat_id, timestamp DESC) AS m
WHERE m.chat_id = c.chat_id;
INSERT INTO sends (send_id, session_id, chat_id, address, kind, text, state, timestamp, token, owner, key_id)
SELECT gen_random_uuid(), c.session_id, c.chat_id, c.address, 'text', 'x', 'sent', 1700000000000 + i * 1000, 't', 'o',
    CASE WHEN i % 4 > 0 THEN i END
FROM generate_series(1, 20000) AS i
JOIN chats AS c ON c.chat_id = CASE WHEN i % 2 = 0 THEN 1 ELSE 1 + i % 2000 END;
UPDATE chats SET name = 'Asha ' || chat_id;
INSERT INTO chat_names (chat_id, address, name)
SELECT 1000000 + i, '9199' || lpad(i::text, 8, '0'), 'Nobody ' || i FROM generate_series(1, 50000) AS i;
UPDATE chat_names SET text = lower(name), spelling = 2;
INSERT INTO search_index (id, chat_id, session_id, direction, message_type, timestamp, text)
SELECT id, chat_id, session_id, direction, message_type, timestamp, message_text FROM whatsapp_messages;
UPDATE search_index_position SET xid = '9000000000';
INSERT INTO changes (kind, session_id, chat_id, message)
SELECT 'message', session_id, chat_id, id FROM whatsapp_messages ORDER BY id;
ANALYZE;
"""
PLACE = ChatScope("919800000001", None)
MIDDLE = message_pages.MessagePosition(1_700_030_000_000, 0, "", 0)
QUERIES: dict[str, Callable[[Connection], object]] = {
    "chats": lambda c: chat_list.newest(c, chat_list.ChatFilter(), 100),
    "chats of sessions": lambda c: chat_list.newest(c, chat_list.ChatFilter(sessions=("s1", "s2")), 100),
    "chats unread": lambda c: chat_list.newest(c, chat_list.ChatFilter(unread=True), 20),
    "chats waiting": lambda c: chat_list.newest(c, chat_list.ChatFilter(waiting=True), 20),
    "groups": lambda c: chat_list.newest(c, chat_list.ChatFilter(kind="group"), 20),
    "chats of a name": lambda c: chat_list.newest(c, chat_list.ChatFilter(search_text="Zebedee"), 100),
    "chats of a name and sessions": lambda c: chat_list.newest(
        c, chat_list.ChatFilter(("s1", "s2"), search_text="Zebedee"), 100
    ),
    "chats of a name that exists": lambda c: chat_list.newest(c, chat_list.ChatFilter(search_text="Asha 1777"), 100),
    "chats of a number": lambda c: chat_list.newest(c, chat_list.ChatFilter(search_text="0001999"), 100),
    "newer chats": lambda c: chat_list.newer(
        c, chat_list.ChatFilter(), chat_list.ChatPosition(1_700_059_000_000, 0), 100
    ),
    "messages": lambda c: message_pages.newest(c, MessageQuery(PLACE, 50)),
    "older messages": lambda c: message_pages.older(c, MessageQuery(PLACE, 50), MIDDLE),
    "newer messages": lambda c: message_pages.newer(c, MessageQuery(PLACE, 50), MIDDLE),
    "messages around": lambda c: message_pages.around(c, MessageQuery(PLACE, 50), MIDDLE),
    "messages since": lambda c: message_pages.newest(c, MessageQuery(PLACE, 50, since=1_700_030_000_000)),
    "position of a message": lambda c: message_pages.locate(c, PLACE, "M30000"),
    "profile": lambda c: chat_profile.read(c, PLACE),
    "search for a number": lambda c: search.find(c, search.SearchQuery(("30001",), 20), None),
    "search for a number and a frequent word": lambda c: search.find(
        c, search.SearchQuery(("order", "30001"), 20), None
    ),
    "search in a chat": lambda c: search.find(c, search.SearchQuery(("order",), 20, address=PLACE.address), None),
    "search for a word that does not occur": lambda c: search.find(c, search.SearchQuery(("zebedee",), 20), None),
    "search for two letters": lambda c: search.find(c, search.SearchQuery(("zx",), 20), None),
    "search for a Chinese word": lambda c: search.find(c, search.SearchQuery(("\u4e16  \u754c",), 20), None),
    "changes": lambda c: change_feed.read(c, change_feed.FeedPosition(0, 30_000), 100),
    "changes of a session": lambda c: change_feed.read(c, change_feed.FeedPosition(0, 30_000), 100, ("s1",)),
}

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def explained(servers: Any, template_database: str) -> Iterator[Callable[[Callable[[Connection], object]], list[Any]]]:  # noqa: ANN401 - dev's
    """A function that runs a query on a filled database and returns the plans that PostgreSQL executed."""
    admin = servers.postgres.url_of("postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE plans TEMPLATE {template_database}")  # pyright: ignore[reportArgumentType, reportCallIssue] - our own name
    with psycopg.connect(servers.postgres.url_of("plans"), autocommit=True) as connection:
        connection.execute(FILL)
        for name, value in {"log_min_duration": "0", "log_analyze": "on", "log_format": "json"}.items():
            connection.execute("LOAD 'auto_explain'")
            connection.execute("SELECT set_config(%s, %s, false)", [f"auto_explain.{name}", value])
        connection.execute("SET auto_explain.log_level = 'notice'")
        for name, value in pool.READ_SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, false)", [name, value])
        plans: list[Any] = []
        connection.add_notice_handler(
            lambda notice: plans.append(json.loads((notice.message_primary or "").partition("plan:\n")[2]))
        )

        def explain(query: Callable[[Connection], object]) -> list[Any]:
            # After five executions PostgreSQL may use a generic plan, which must be good, too.
            for _ in range(8):
                plans.clear()
                query(connection)  # pyright: ignore[reportArgumentType] - a row is a tuple either way
            return [plan["Plan"] for plan in plans]

        yield explain
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP DATABASE plans WITH (FORCE)")


def nodes(plan: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize("name", QUERIES)
def test_a_frequent_query_reads_indexes_and_sorts_at_most_a_page(
    explained: Callable[[Callable[[Connection], object]], list[Any]], name: str
) -> None:
    """A query that scans or sorts a table is fast on a laptop but slow with ten million messages."""
    plans = explained(QUERIES[name])

    assert plans
    for node in (node for plan in plans for node in nodes(plan)):
        if node["Node Type"] == "Seq Scan":
            assert node["Relation Name"] in {"feed_epoch", "feed_floor", "sessions", "search_index_position"}, node
        if node["Node Type"].endswith("Sort"):
            assert node["Actual Rows"] <= 2 * 101, node
            assert all(child["Actual Rows"] <= 2 * 101 for child in node["Plans"]), node
        if node["Node Type"] in {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}:
            assert node["Actual Rows"] <= search_terms.SCAN_WINDOW, node
            assert node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0) <= 300, node
        assert node.get("Rows Removed by Join Filter", 0) <= 300, node


def test_statistics_read_each_message_a_few_times(
    explained: Callable[[Callable[[Connection], object]], list[Any]],
) -> None:
    """Pages disable sorting. Without it, each message was joined with every chat, and a week took minutes."""
    period = statistics.StatisticsPeriod(1_700_000_000_000, 1_700_060_001_000, "Asia/Kolkata", "hour", None)

    plans = explained(lambda c: statistics.read(c, period))

    assert any(node["Actual Rows"] == MESSAGES for plan in plans for node in nodes(plan))
    for node in (node for plan in plans for node in nodes(plan)):
        assert node["Actual Rows"] * node["Actual Loops"] <= 2 * MESSAGES, node
