"""Tests sends, the gateway's answers and its webhooks."""

import hashlib
import itertools
import uuid
from dataclasses import replace
from threading import Thread
from typing import Any, LiteralString

import psycopg
import pytest

from store.ingestion import apply
from store.model.batches import Batch, Event
from store.model.facts import Ack, Message, Outcome
from store.postgres import connections
from store.sending import sends, unsettled
from store.sending.sends import SendDraft, SendResult

T0 = 1_750_000_000_000
PHONE = "919811000009"
DRAFT = SendDraft(uuid.UUID(int=1), "s1", PHONE, "text", "hello", T0, "t", "sends nobody")
SENT = Message(PHONE, "outgoing", "WA1", T0 + 900, "text", "conversation", "complete", "hello", status="sent")


def receive(url: str, fact: Message | Ack, number: int) -> None:
    """Store a webhook event as a batch."""
    name = repr(fact).encode()
    event = Event(0, T0 + 2000, name, hashlib.sha256(name).digest(), Outcome("stored", None, "s1", "x", T0, (fact,)))
    with connections.open(url, "test") as connection:
        apply.batches(connection, [Batch(f"{number:032x}", 1, 1, (event,))])


def rows(url: str, query: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


STEPS = ("answer", "message.sent", "delivered", "read")


@pytest.mark.parametrize("order", list(itertools.permutations(STEPS)), ids=",".join)
def test_answer_message_and_acks_make_one_row_in_any_order(database_url: str, order: tuple[str, ...]) -> None:
    """The webhook of a message often overtakes the answer to the call that sent it."""
    with connections.open(database_url, "test") as connection:
        sends.record(connection, DRAFT, own_phone="919800000000")
    for number, step in enumerate(order, 1):
        if step == "answer":
            with connections.open(database_url, "test") as connection:
                sends.complete(connection, DRAFT.send_id, SendResult("sent", "WA1"), own_phone="919800000000")
        elif step == "message.sent":
            receive(database_url, SENT, number)
        else:
            receive(database_url, Ack("WA1", "delivered" if step == "delivered" else "read", PHONE, T0 + 1000), number)

    assert rows(
        database_url,
        "SELECT message_id, direction, message_text, status, timestamp, to_number, unread FROM whatsapp_messages",
    ) == [("WA1", "outgoing", "hello", "read", T0, PHONE, False)]
    assert rows(database_url, "SELECT s.state, k.message_id FROM sends AS s JOIN message_keys AS k USING (key_id)") == [
        ("sent", "WA1")
    ]


def test_a_late_answer_replaces_unknown(database_url: str) -> None:
    """An answer that arrives after the send became unknown is still recorded."""
    with connections.open(database_url, "test") as connection:
        sends.record(connection, DRAFT)
        given_up = unsettled.mark_interrupted(connection, "sends nobody else")
        connection.execute("UPDATE sends SET created_at = now() - interval '2 minutes'")
        given_up_by_age = unsettled.mark_interrupted(connection, "sends nobody else")
        answered = sends.complete(connection, DRAFT.send_id, SendResult("sent", "WA1"))

    # A process that does not find itself among the live ones decides by age alone.
    assert (given_up, given_up_by_age) == ([], [DRAFT.send_id])
    assert (answered.state, answered.message_id) == ("sent", "WA1")
    assert rows(database_url, "SELECT count(*) FROM whatsapp_messages") == [(1,)]


def test_a_result_is_not_replaced(database_url: str) -> None:
    """A late timeout must not replace the answer of the gateway."""
    with connections.open(database_url, "test") as connection:
        sends.record(connection, DRAFT)
        sends.complete(connection, DRAFT.send_id, SendResult("queued", gateway_id="q1"))
        late = sends.complete(connection, DRAFT.send_id, SendResult("unknown", reason="too late"))

    assert (late.state, late.gateway_id, late.reason) == ("queued", "q1", None)


def test_only_sends_of_dead_processes_become_unknown(database_url: str) -> None:
    """A send of another living process is still in progress."""
    with (
        connections.open(database_url, "sends me") as me,
        connections.open(database_url, "sends other"),
    ):
        for number, owner in enumerate(("sends me", "sends other", "sends dead"), 1):
            sends.record(me, replace(DRAFT, send_id=uuid.UUID(int=number), owner=owner))
        given_up = unsettled.mark_interrupted(me, "sends me")

    assert given_up == [uuid.UUID(int=3)]


def test_a_chat_waits_until_an_answer_is_certainly_sent(database_url: str) -> None:
    """A chat that waits needlessly costs a glance, whereas a chat that is missing costs a customer."""
    asked = Message(PHONE, "incoming", "Q", T0 - 60_000, "text", None, "complete", "in stock?")
    receive(database_url, asked, 1)
    waiting: list[Any] = []
    with connections.open(database_url, "test") as connection:
        for number, result in enumerate(
            (SendResult("failed"), SendResult("unknown"), SendResult("queued"), SendResult("sent", "WA1"))
        ):
            draft = replace(DRAFT, send_id=uuid.UUID(int=number + 1), timestamp=T0 + number)
            sends.record(connection, draft)
            sends.complete(connection, draft.send_id, result)
            waiting += rows(database_url, "SELECT waiting_since FROM chats")

    assert waiting == [(T0 - 60_000,)] * 3 + [(None,)]


def test_a_send_is_a_source_of_its_message(database_url: str) -> None:
    """A replay folds a message from all its sources, and without a webhook the send is the only one."""
    with connections.open(database_url, "test") as connection:
        sends.record(connection, DRAFT)
        send = sends.complete(connection, DRAFT.send_id, SendResult("sent", "WA1"))
        ((key_id,),) = rows(database_url, "SELECT key_id FROM sends")
        events = sends.parsed_events(connection, [key_id, -1])

    assert list(events) == [key_id]
    assert [fact for event in events[key_id] for fact in event.facts] == [
        replace(SENT, time=T0, raw_type=None, text=send.text)
    ]


def test_a_concurrent_copy_of_a_request_causes_no_deadlock(database_url: str) -> None:
    """`complete` locks the send before its chat, so a copy must not hold the chat while it waits for the send."""
    draft = replace(DRAFT, idempotency_key="k", fingerprint=b"f")
    copies: list[sends.Send] = []

    def copy() -> None:
        with connections.open(database_url, "copy") as connection:
            copies.append(sends.record(connection, replace(draft, send_id=uuid.UUID(int=2))))

    with connections.open(database_url, "first") as first:
        sends.record(first, draft)
        copying = Thread(target=copy)
        with first.transaction():
            first.execute("UPDATE sends SET state = 'unknown', idempotency_key = 'k'")
            copying.start()
            while not rows(
                database_url,
                "SELECT FROM pg_stat_activity WHERE application_name = 'copy' AND wait_event_type = 'Lock'",
            ):
                assert copying.is_alive()
            first.execute("SELECT FROM chats FOR UPDATE NOWAIT")
        copying.join()

    assert [send.send_id for send in copies] == [DRAFT.send_id]


def test_a_send_is_not_queued_for_ever(database_url: str) -> None:
    """The gateway's queue drops a message after about 20 s without a report, and the message may have been sent."""
    with connections.open(database_url, "test") as connection:
        for number in (1, 2):
            sends.record(connection, replace(DRAFT, send_id=uuid.UUID(int=number)))
            sends.complete(connection, uuid.UUID(int=number), SendResult("queued", gateway_id=f"q{number}"))
        connection.execute(
            "UPDATE sends SET completed_at = now() - interval '3 minutes' WHERE send_id = %s", [uuid.UUID(int=1)]
        )
        expired = unsettled.expire_queued(connection)
        found = [sends.get(connection, uuid.UUID(int=number)) for number in (1, 2)]

    assert expired == [uuid.UUID(int=1)]
    assert [(one.state, one.code, one.gateway_id) for one in found if one] == [
        ("unknown", "queue_expired", "q1"),
        ("queued", None, "q2"),
    ]
