"""Tests the generated history on which the api is measured."""

import hashlib
from typing import Any, cast

import psycopg
import pytest

from dev.errors import StartError
from dev.generator import generate, steps
from store.ingestion import apply
from store.ledger import ledger
from store.model.batches import Batch, Event
from store.model.facts import Ack, Fact, Message, Outcome, Reaction
from store.postgres import connections
from store.replay import summaries

SIZE, CHATS = 6_000, 200
MESSAGES = """
    SELECT message_id, session_id, direction, from_number, to_number, message_type, message_text, media_url, caption,
        status, timestamp, chat_id, time_source, receive_order, raw_type, content_state, mime_type, file_name, reply_to,
        sender, sender_name, content_rank, content_time, content_tie, base_status, original_text, edited_at,
        deleted_at, is_duplicate, rev
    FROM whatsapp_messages WHERE chat_id = %s ORDER BY message_id
"""
MARKS = """
    SELECT k.message_id, m.kind, m.digest, m.chat_id, m.direction, m.sender, m.occurred_at, m.status, m.text
    FROM message_updates AS m JOIN message_keys AS k USING (key_id) WHERE m.chat_id = %s ORDER BY m.digest
"""


def test_generated_counts_equal_those_that_the_store_computes(database_url: str) -> None:
    """Figures measured on an impossible history would be meaningless."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        indexes = connection.execute("SELECT indexdef FROM pg_indexes ORDER BY 1").fetchall()
    generate.generate(database_url, SIZE, CHATS)
    with connections.open(database_url, "test") as connection:
        shown, differences = summaries.refresh_page(connection, 0, 1_000)
        counted = ledger.read(connection)
        searchable = connection.execute("SELECT count(*) FROM search_index").fetchone()
        events = connection.execute(
            "SELECT count(*), (SELECT count(*) FROM whatsapp_messages) + (SELECT count(*) FROM message_updates) "
            "FROM event_digests"
        ).fetchone()
        after = connection.execute("SELECT indexdef FROM pg_indexes ORDER BY 1").fetchall()

    assert (len(shown), differences) == (CHATS, [])
    assert events == (counted.received, counted.stored)
    assert counted.received > SIZE
    assert searchable == (SIZE,)
    assert after == indexes


@pytest.mark.parametrize("address", ["919800000003", "120363040000000007@g.us"])
def test_a_generated_chat_is_what_the_worker_would_have_written_of_its_events(database_url: str, address: str) -> None:
    """Otherwise query plans and sizes would differ from those of a real database."""
    generate.generate(database_url, SIZE, 20)
    with connections.open(database_url, "test") as connection:
        (chat_id, session_id), *_ = connection.execute(
            "SELECT chat_id, session_id FROM chats WHERE address = %s", [address]
        ).fetchall()
        messages = connection.execute(MESSAGES, [chat_id]).fetchall()
        marks = connection.execute(MARKS, [chat_id]).fetchall()
        events = _events_behind(connection, cast("int", chat_id), address, str(session_id))
        connection.execute("DELETE FROM message_updates WHERE chat_id = %s", [chat_id])
        connection.execute("DELETE FROM whatsapp_messages WHERE chat_id = %s", [chat_id])
        connection.execute("DELETE FROM event_digests WHERE digest = ANY(%s)", [[event.digest for event in events]])
        apply.batches(connection, [Batch("f" * 32, 1, len(events), tuple(events))])

        assert connection.execute(MARKS, [chat_id]).fetchall() == marks
        assert connection.execute(MESSAGES, [chat_id]).fetchall() == messages
    assert len(messages) > 100
    assert len(marks) > 50


def _events_behind(connection: connections.Connection, chat_id: int, address: str, session_id: str) -> list[Event]:
    """Return the events from which the rows of a chat would be created."""
    found = connection.execute(
        """
        SELECT id, message_id, direction, timestamp, message_type, raw_type, content_state, message_text, caption,
            sender, sender_name, base_status, receive_order
        FROM whatsapp_messages WHERE chat_id = %s ORDER BY id
        """,
        [chat_id],
    ).fetchall()
    events: list[Event] = []

    def add(name: str, received_at: int, index: int, fact: Fact) -> None:
        outcome = Outcome("stored", None, session_id, "message.received", None, (fact,))
        events.append(Event(index, received_at, b"{}", hashlib.sha256(name.encode()).digest(), outcome))

    for number, message_id, direction, at, *content, sender, sender_name, status, arrived in cast(
        "list[tuple[Any, ...]]", found
    ):
        told = Message(
            address, direction, message_id, at, *content, sender=sender, sender_name=sender_name, status=status
        )
        add(str(number), arrived >> 16, arrived & 65535, told)
    for key_id, message_id, kind, direction, at in cast(
        "list[tuple[Any, ...]]",
        connection.execute(
            "SELECT key_id, message_id, kind, m.direction, occurred_at FROM message_updates AS m "
            "JOIN message_keys USING (key_id) "
            "WHERE chat_id = %s",
            [chat_id],
        ).fetchall(),
    ):
        if kind == "ack":
            add(f"{key_id}a", at, 0, Ack(message_id, "delivered", address, at))
        else:
            add(f"{key_id}r", at, 0, Reaction(message_id, address, direction, None, "👍", at))
    return events


def test_an_interrupted_generator_goes_on(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten million messages take minutes, and a laptop may go to sleep."""
    monkeypatch.setattr(generate, "BATCH_MESSAGES", 1_000)
    with psycopg.connect(database_url, autocommit=True) as connection:
        plan = steps.start_or_resume(connection, SIZE, CHATS)
        steps.set_up(connection, plan, 1_000)
        steps.write_batch(connection, plan)
    with pytest.raises(StartError, match="begun"):
        generate.generate(database_url, SIZE, CHATS + 1)
    generate.generate(database_url, SIZE, CHATS)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT id) FROM whatsapp_messages").fetchone() == (
            SIZE, SIZE,
        )  # fmt: skip
        assert connection.execute("SELECT to_regclass('generator_parts')").fetchone() == (None,)


def test_a_history_is_never_mixed_with_a_made_up_one(database_url: str) -> None:
    """DATABASE_URL may refer to the real history."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO chats (session_id, address, kind) VALUES ('s', '919811000001', 'phone')")

    with pytest.raises(StartError, match="already"):
        generate.generate(database_url, SIZE, CHATS)
