"""Tests sends of other programs, which only the gateway's list contains."""

import hashlib
import itertools
import uuid
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from store.ingestion import apply
from store.model.batches import Batch, Event
from store.model.facts import Message, Outcome
from store.model.timestamps import MAX_CLOCK_SKEW
from store.postgres import connections
from store.sending import listed_sends, sends
from store.sending.listed_sends import ListedSend, MatchWindow
from store.sending.sends import SendDraft, SendResult
from tests.support.history.erasure_scenario import ErasureScenario, now_ms
from tests.support.history.faulty_parsers import parse_correctly
from tests.support.history.replaying import run_replay

T0 = 1_750_000_000_000
PHONE = "919811000009"
OWN_PHONE = "919800000000"
DRAFT = SendDraft(uuid.UUID(int=1), "s1", PHONE, "text", "hello", T0, "t", "sends nobody")
ENTRY = ListedSend("WA1", PHONE, "text", T0 + 900)
NO_WINDOW = MatchWindow(0, 0)
WINDOW = MatchWindow(60_000, 120_000)
SENT = Message(PHONE, "outgoing", "WA1", T0 + 900, "text", "conversation", "complete", "hello", status="sent")
ASKED = Message(PHONE, "incoming", "IN1", T0, "text", "conversation", "complete", "are you there?")


def list_sends(url: str, *entries: ListedSend, window: MatchWindow = WINDOW) -> int:
    with connections.open(url, "test") as connection:
        return listed_sends.record(connection, "s1", entries, window, own_phone=OWN_PHONE)


def receive(url: str, fact: Message, number: int) -> None:
    name = repr(fact).encode()
    event = Event(0, T0 + 2000, name, hashlib.sha256(name).digest(), Outcome("stored", None, "s1", "x", T0, (fact,)))
    with connections.open(url, "test") as connection:
        apply.batches(connection, [Batch(f"{number:032x}", 1, 1, (event,))])


def rows(url: str, query: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def messages(url: str) -> list[tuple[Any, ...]]:
    return rows(url, "SELECT message_id, message_type, content_state, message_text, status FROM whatsapp_messages")


def test_a_listed_send_is_a_message_without_text_and_counts_as_an_answer(database_url: str) -> None:
    """The shop answered with another program, so nobody waits, but the list does not have the text."""
    receive(database_url, ASKED, 1)
    waiting = rows(database_url, "SELECT waiting_since FROM chats")
    ledger = rows(database_url, "SELECT count(*) FROM event_digests")
    counts = [list_sends(database_url, ENTRY), list_sends(database_url, ENTRY, ENTRY)]

    assert (waiting, counts) == ([(T0,)], [1, 0])
    assert rows(
        database_url,
        "SELECT message_id, direction, message_type, content_state, message_text, status, from_number, to_number"
        " FROM whatsapp_messages WHERE direction = 'outgoing'",
    ) == [("WA1", "outgoing", "text", "media_missing", None, "sent", OWN_PHONE, PHONE)]
    assert rows(database_url, "SELECT waiting_since FROM chats") == [(None,)]
    assert rows(database_url, "SELECT count(*) FROM event_digests") == ledger


@pytest.mark.parametrize("order", list(itertools.permutations(("answer", "event", "list", "list"))), ids=",".join)
def test_answer_event_and_list_make_one_row_and_one_send_in_any_order(
    database_url: str, order: tuple[str, ...]
) -> None:
    """Whichever source reports a message first, the text is kept and readers see our own send."""
    with connections.open(database_url, "test") as connection:
        sends.record(connection, DRAFT)
    for step in order:
        if step == "answer":
            with connections.open(database_url, "test") as connection:
                sends.complete(connection, DRAFT.send_id, SendResult("sent", "WA1"))
        elif step == "event":
            receive(database_url, SENT, 1)
        else:
            list_sends(database_url, ENTRY, window=NO_WINDOW)

    assert messages(database_url) == [("WA1", "text", "complete", "hello", "sent")]
    assert rows(database_url, "SELECT send_id, text FROM sends") == [(DRAFT.send_id, "hello")]


def test_an_entry_that_may_be_our_own_send_is_no_second_message(database_url: str) -> None:
    """A crash lost the answer. The send is already shown as unknown, and the reconciliation matches the two."""
    with connections.open(database_url, "test") as connection:
        sends.record(connection, DRAFT)
        sends.complete(connection, DRAFT.send_id, SendResult("unknown"))
    near, other_kind, late = (
        ENTRY,
        ListedSend("WA2", PHONE, "image", T0 + 900),
        ListedSend("WA3", PHONE, "text", T0 + 121_000),
    )

    assert list_sends(database_url, near, other_kind, late) == 2
    assert sorted(row[0] for row in messages(database_url)) == ["WA2", "WA3"]


def test_a_replay_keeps_what_only_the_list_has(database_url: str) -> None:
    """No stored event contains it, so a replay that reads only events would delete it."""
    receive(database_url, ASKED, 1)
    list_sends(database_url, ENTRY)
    before = messages(database_url)
    report = run_replay(database_url, parse_correctly)

    assert ("WA1", "text", "media_missing", None, "sent") in before
    assert ("WA1", "text", "media_missing", None, "sent") in messages(database_url)
    assert report


def test_an_expired_message_does_not_come_back_from_the_list(database_url: str) -> None:
    """Its tombstone remains, so neither a message nor a send with the number is stored."""
    list_sends(database_url, ENTRY)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO expired_message_tombstones (key_id, chat_id, direction)"
            " SELECT key_id, chat_id, direction FROM whatsapp_messages"
        )
        connection.execute("UPDATE message_keys SET has_tombstone = true")
        connection.execute("DELETE FROM sends")
        connection.execute("DELETE FROM whatsapp_messages")

    assert list_sends(database_url, ENTRY) == 0
    assert (messages(database_url), rows(database_url, "SELECT count(*) FROM sends")) == ([], [(0,)])


def test_a_forgotten_person_does_not_come_back_from_the_list(database_url: str, tmp_path: Path) -> None:
    """The list still contains the number, but a later send to the person is a new history."""
    scenario = ErasureScenario(database_url, tmp_path)
    before = ListedSend("WA1", PHONE, "text", now_ms() - 5000)
    list_sends(database_url, before)
    scenario.erase_person(PHONE, "s1")
    again = list_sends(database_url, before)
    left = PHONE in scenario.dump()
    later = list_sends(database_url, ListedSend("WA2", PHONE, "text", now_ms() + MAX_CLOCK_SKEW + 1000))

    assert (again, left, later) == (0, False, 1)
