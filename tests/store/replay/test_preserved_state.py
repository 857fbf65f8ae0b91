"""A replay keeps read flags, stars, sends, and facts whose raw bodies were pruned."""

import hashlib
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from store.annotations import read_flags, stars
from store.model.facts import Message, Outcome
from store.postgres import connections
from store.reading.fragments.chat_scope import ChatScope
from store.search_index import search_index
from store.sending import sends
from store.sending.sends import SendDraft, SendResult
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import world
from tests.support.history.faulty_parsers import parse_correctly
from tests.support.history.replaying import fetch_rows, parser_with_wrong_fields, run_replay, store_batches, text_event


def test_read_flags_and_stars_follow_their_messages(database_url: str) -> None:
    """A fix that moves a message to its right chat, or to its right id, must not show it as new again."""
    store_batches(
        database_url,
        [
            generated_history_batches.make_batch(
                [(text_event("one"), world.BASE_TIME), (text_event("two", 2), world.BASE_TIME)]
            )
        ],
        parser_with_wrong_fields(address="7"),
    )
    with connections.open(database_url, "test") as connection:
        read_flags.mark_read(connection, ChatScope("7", None), None, None)
        assert stars.set_star(connection, ChatScope("7", None), "ID2", starred=True)
    store_batches(
        database_url,
        [generated_history_batches.make_batch([(text_event("three", 3), world.BASE_TIME)], number=2, upto=3)],
        parser_with_wrong_fields(address="7"),
    )
    arrived = fetch_rows(database_url, "SELECT id, receive_order FROM whatsapp_messages ORDER BY id")

    run_replay(database_url, parse_correctly)

    assert fetch_rows(database_url, "SELECT message_id, unread, starred FROM whatsapp_messages ORDER BY id") == [
        ("ID1", False, False),
        ("ID2", False, True),
        ("ID3", True, False),
    ]
    assert fetch_rows(database_url, "SELECT id, receive_order FROM whatsapp_messages ORDER BY id") == arrived
    assert fetch_rows(database_url, "SELECT address, unread FROM chats WHERE last_timestamp IS NOT NULL") == [
        (world.ASHA, 1)
    ]


@pytest.mark.parametrize("mistake", [{"address": "7"}, {"message_id": "…"}, {"address": "7", "direction": "outgoing"}])
def test_messages_of_one_body_keep_their_ids(database_url: str, mistake: dict[str, str]) -> None:
    """Stars, links and pages name a message by its id, but a fixed parser may read the messages in another order."""
    bodies = {b"batch": [text_event(f"text {number}", number) for number in range(1, 6)]}

    def read(body: bytes) -> Outcome:
        first, *others = [parse_correctly(event) for event in reversed(bodies[body])]
        return replace(first, facts=(*first.facts, *(fact for each in others for fact in each.facts)))

    def misread(body: bytes) -> Outcome:
        facts = (fact for event in bodies[body] for fact in parse_correctly(event).facts)
        wrong = (replace(fact, **_with_own_id(fact, mistake)) for fact in facts if isinstance(fact, Message))
        return replace(read(body), facts=tuple(wrong))

    store_batches(database_url, [generated_history_batches.make_batch([(b"batch", world.BASE_TIME)])], misread)
    arrived = fetch_rows(database_url, "SELECT message_text, id FROM whatsapp_messages ORDER BY id")
    assert len(arrived) == 5

    run_replay(database_url, read)

    assert fetch_rows(database_url, "SELECT message_text, id FROM whatsapp_messages ORDER BY id") == arrived
    assert run_replay(database_url, read).difference_counts == {}


def _with_own_id(fact: Message, mistake: dict[str, str]) -> dict[str, Any]:
    wrong = {"message_id": hashlib.sha256(str(fact.text).encode()).hexdigest()} if "message_id" in mistake else {}
    return {**mistake, **wrong}


def test_a_read_message_that_becomes_two_stays_read(database_url: str) -> None:
    """Two messages that were mistaken for one were both on the page that the user read."""
    one_id = parser_with_wrong_fields(message_id="SAME")
    store_batches(
        database_url,
        [
            generated_history_batches.make_batch(
                [(text_event("one"), world.BASE_TIME), (text_event("two", 2), world.BASE_TIME)]
            )
        ],
        one_id,
    )
    with connections.open(database_url, "test") as connection:
        read_flags.mark_read(connection, ChatScope(world.ASHA, None), None, None)

    run_replay(database_url, parse_correctly)

    assert fetch_rows(database_url, "SELECT message_id, unread FROM whatsapp_messages ORDER BY message_id") == [
        ("ID1", False),
        ("ID2", False),
    ]


def test_the_feed_reports_every_message_and_chat_that_changed(database_url: str) -> None:
    """An open dashboard shows the result of a replay without being reloaded."""
    store_batches(
        database_url,
        [generated_history_batches.make_batch([(text_event("one"), world.BASE_TIME)])],
        parser_with_wrong_fields(address="7"),
    )
    fetch_rows(database_url, "DELETE FROM changes")

    run_replay(database_url, parse_correctly)

    assert fetch_rows(
        database_url,
        "SELECT f.kind, c.address, f.message IS NOT NULL FROM changes AS f JOIN chats AS c USING (chat_id)"
        " ORDER BY f.change_id",
    ) == [("message", world.ASHA, True), ("merge", "7", False)]


def test_our_sends_are_sources_too(database_url: str) -> None:
    """A message that we sent is known from our own record, whatever the gateway reports about it."""
    with connections.open(database_url, "test") as connection:
        for number, text in ((1, "alone"), (2, "confirmed")):
            draft = SendDraft(uuid4(), world.SESSIONS[0], world.ASHA, "text", text, world.BASE_TIME, "t", "o")
            sends.record(connection, draft)
            sends.complete(connection, draft.send_id, SendResult("sent", f"ID{number}"))
    confirmed = world.encode_event(
        {
            "event": "message.sent",
            "sessionId": world.SESSIONS[0],
            "data": {
                "to": world.ASHA,
                "message": {"id": "ID2", "text": "confirmed", "timestamp": world.BASE_TIME},
                "status": "read",
            },
        }
    )
    store_batches(
        database_url,
        [generated_history_batches.make_batch([(confirmed, world.BASE_TIME)])],
        parser_with_wrong_fields(type="image", status="failed"),
    )

    run_replay(database_url, parse_correctly)

    assert fetch_rows(
        database_url, "SELECT message_id, message_type, message_text, status FROM whatsapp_messages ORDER BY message_id"
    ) == [("ID1", "text", "alone", "sent"), ("ID2", "text", "confirmed", "read")]


def test_a_row_without_its_source_is_extended_and_never_emptied(database_url: str) -> None:
    """Bodies are pruned by age, so facts that only they contained are kept, while all other facts are repaired."""
    copies = [
        (text_event("one"), world.BASE_TIME),
        (text_event("two", 2), world.BASE_TIME),
        (text_event("three", 3), world.BASE_TIME),
    ]
    ack = {"event": "message.ack", "sessionId": world.SESSIONS[0], "timestamp": world.BASE_TIME, "messageId": "ID2"}
    batches = [
        generated_history_batches.make_batch(
            [*copies, (world.encode_event({**ack, "status": "read"}), world.BASE_TIME)]
        )
    ]
    store_batches(database_url, batches, parser_with_wrong_fields(type="image"))
    fetch_rows(database_url, "UPDATE message_keys SET has_pruned_sources = true WHERE message_id IN ('ID1', 'ID2')")
    fetch_rows(database_url, "DELETE FROM raw_events WHERE event_id <= 2")

    def third_is_noise(body: bytes) -> Outcome:
        return noise(body) if b"three" in body else parse_correctly(body)

    run_replay(database_url, third_is_noise)

    assert fetch_rows(database_url, "SELECT message_id, message_type, status FROM whatsapp_messages ORDER BY 1") == [
        ("ID1", "image", None),
        ("ID2", "image", "read"),
    ]


def test_the_search_index_follows_the_repair(database_url: str) -> None:
    """A message that turned out to belong to another session must not be found by readers of the wrong one."""

    def of_the_wrong_session(body: bytes) -> Outcome:
        return replace(parse_correctly(body), session_id=world.SESSIONS[1])

    store_batches(
        database_url,
        [
            generated_history_batches.make_batch(
                [(text_event("mango"), world.BASE_TIME), (text_event("lemon", 2), world.BASE_TIME)]
            )
        ],
        of_the_wrong_session,
    )
    with connections.open(database_url, "test") as connection:
        search_index.advance(connection, 100)
        before = connection.execute("SELECT session_id FROM search_index").fetchall()

        run_replay(database_url, lambda body: noise(body) if b"lemon" in body else parse_correctly(body))

        search_index.advance(connection, 100)
        assert before == [(world.SESSIONS[1],)] * 2
        assert connection.execute("SELECT session_id, text FROM search_index").fetchall() == [
            (world.SESSIONS[0], "mango")
        ]


def noise(_: bytes) -> Outcome:
    return Outcome("noise", "x", None, None, None)
