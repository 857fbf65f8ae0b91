"""Tests the verdict of a campaign. If it found no damage, the other tests of this folder would be worthless."""

from typing import LiteralString
from urllib.parse import urlsplit

import psycopg
import pytest

from dev.chaos import event_generator, reference_model, verdict
from dev.embedded.servers import EmbeddedServers
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.servers.databases import run_admin

EVENTS = 300

GHOST: LiteralString = """
    INSERT INTO whatsapp_messages (message_id, session_id, direction, message_type, timestamp, key_id, chat_id,
        time_source, receive_order, content_state, content_rank, content_time, content_tie, unread)
    SELECT 'x', session_id, direction, message_type, timestamp, key_id, (SELECT max(chat_id) FROM chats),
        time_source, receive_order, content_state, content_rank, content_time, content_tie, false
    FROM whatsapp_messages
    WHERE chat_id <> (SELECT max(chat_id) FROM chats)
    LIMIT 1
"""
FIRST: LiteralString = "WHERE event_id = (SELECT min(event_id) FROM raw_events)"
DAMAGES: dict[str, tuple[LiteralString, str]] = {
    "a message gone": (
        "DELETE FROM whatsapp_messages WHERE id = (SELECT min(id) FROM whatsapp_messages)",
        "are missing",
    ),
    "a text changed": ("UPDATE whatsapp_messages SET message_text = 'x' WHERE message_type = 'text'", "differ"),
    "a status fallen": ("UPDATE whatsapp_messages SET status = 'pending' WHERE direction = 'outgoing'", "differ"),
    "a message of nobody": (GHOST, "not expected"),
    "unread counted twice": ("UPDATE chats SET unread = unread + 1 WHERE unread > 0", "differ"),
    "a body gone": ("DELETE FROM raw_events " + FIRST, "1 missing"),
    "a body of nobody": ("UPDATE raw_events SET body = body || ' ' " + FIRST, "1 foreign"),
    "a batch gone": ("DELETE FROM batches WHERE number = 2", "received"),
    "a count wrong": ("UPDATE batches SET stored = stored - 1, noise = noise + 1 WHERE stored > 0", "counted"),
}  # fmt: skip


@pytest.fixture
def stored(pipeline: WorkerPipeline) -> WorkerPipeline:
    """Return a database with a complete history and no running processes."""
    pipeline.feed.append_all(event_generator.EventGenerator(7).take(EVENTS))
    worker = pipeline.create_worker().start()
    assert pipeline.wait_until_drained(), pipeline.worker_output
    worker.kill()
    return pipeline


def test_a_worker_stores_the_rows_of_the_reference_model(stored: WorkerPipeline) -> None:
    """The model shares no code with the parser and the store. Both follow only the descriptions of SAK."""
    found = stored.judge()

    assert found.is_clean, found
    assert found.stored_events == len(set(stored.feed.written_bodies))


def test_each_damage_to_the_database_is_seen(stored: WorkerPipeline, servers: EmbeddedServers) -> None:
    """The checker must be able to fail. Each case is what a lost, duplicated or torn write would leave."""
    source = urlsplit(stored.database_url).path.strip("/")
    copy = f"{source}_damaged"
    for damage, (statement, word) in DAMAGES.items():
        run_admin(servers, "CREATE DATABASE {} TEMPLATE {}", copy, source)
        with psycopg.connect(servers.postgres.url_of(copy)) as connection:
            connection.execute(statement)
        found = verdict.judge(servers.postgres.url_of(copy), stored.feed.written_bodies)
        run_admin(servers, "DROP DATABASE {} WITH (FORCE)", copy)

        assert not found.is_clean, damage
        assert word in str(found), f"{damage}: {found}"


def test_events_that_nobody_answered_may_be_there_or_not(stored: WorkerPipeline) -> None:
    """A sender whose connection was reset does not know the outcome, so neither counts as a loss or an extra event."""
    acknowledged, unacknowledged = stored.feed.written_bodies[:-5], stored.feed.written_bodies[-5:]
    never_came = event_generator.EventGenerator(8).take(3)

    found = verdict.judge(stored.database_url, acknowledged, [*unacknowledged, *never_came])

    assert found.is_clean, found


def test_the_model_reads_a_body_once_however_often_it_came() -> None:
    """Duplicates change nothing, neither in the product (promise 2) nor in the model."""
    bodies = event_generator.EventGenerator(9).take(200)

    assert reference_model.fold(bodies) == reference_model.fold([*bodies, *reversed(bodies)])
