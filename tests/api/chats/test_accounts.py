"""Tests two gateways on one number: the common list of chats, the common conversation, and the messages of each."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from store.access import tokens
from store.model.facts import Ack, SessionReport
from store.postgres import connections
from tests.support.history import account_merging
from tests.support.history.history_writer import (
    API_TOKEN,
    BASE_TIME,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    message_fact,
)
from tests.support.processes.api_server import running_api

SAK, WAHA, STRANGER = "sak-1", "shop:default", "other:default"
OUR_PHONE = "919800000000"
NOW = time.time_ns() // 1_000_000 - BASE_TIME
"""The messages are from the last few minutes."""


def told(history: HistoryWriter, session: str, *numbers: int) -> None:
    """Let the session report its number and these messages. M7 is outgoing, the others are incoming."""
    history.store(SessionReport("connected", OUR_PHONE, BASE_TIME + NOW - 600_000), session=session)
    facts = [
        message_fact(f"text {n}", NOW - 300_000 + n * 1000, id=f"M{n}", direction="outgoing" if n == 7 else "incoming")
        for n in numbers
    ]
    history.store(*facts, session=session)


def join(history: HistoryWriter) -> None:
    account_merging.join_and_merge(history.database_url)
    # Newer messages may still arrive from the other gateway.
    history.execute("UPDATE whatsapp_messages SET created_at = now() - interval '5 minutes'")


def ids(client: ApiClient, **parameters: str) -> list[str]:
    messages = client.get_data(f"/api/chats/{SENDER_PHONE}", **parameters)["messages"]
    return [message["message_id"] for message in messages]


@pytest.fixture
def clients(history: HistoryWriter) -> Iterator[dict[str, ApiClient]]:
    """Return a client with full access, and one for each limit of a token."""
    limits = {"waha": [WAHA], "account": [OUR_PHONE], "stranger": [STRANGER]}
    with connections.open(history.database_url, "test") as connection:
        secrets = {
            name: tokens.create(connection, name, ["read", "write"], session_ids=limit)
            for name, limit in limits.items()
        }
    with (
        running_api({"DATABASE_URL": history.database_url, "API_TOKEN": API_TOKEN}) as url,
        requests.Session() as all_of_it,
    ):
        all_of_it.headers["authorization"] = f"Bearer {API_TOKEN}"
        limited: dict[str, ApiClient] = {"all": ApiClient(url, all_of_it)}
        for name, secret in secrets.items():
            limited[name] = ApiClient(url, requests.Session())
            limited[name].http.headers["authorization"] = f"Bearer {secret}"
        yield limited
        for client in limited.values():
            client.http.close()


@pytest.mark.parametrize("joins", ["first", "last"])
def test_a_conversation_reported_by_two_gateways_is_one_without_duplicates(
    history: HistoryWriter, clients: dict[str, ApiClient], joins: str
) -> None:
    """Each gateway loses some messages that the other delivers, and the page reports which session missed which."""
    history.store(message_fact("not ours", NOW, address="919822222222"), session=STRANGER)
    if joins == "first":
        told(history, SAK)
        told(history, WAHA)
        join(history)
    told(history, SAK, 1, 2)
    told(history, WAHA, 1, 3, 7)
    told(history, SAK, 4, 6)
    told(history, WAHA, 4, 5)
    history.store(Ack("M7", "read", SENDER_PHONE, BASE_TIME + NOW), session=SAK)
    join(history)

    everything = clients["all"]
    expected = [f"M{n}" for n in range(1, 8)]
    assert ids(everything) == expected
    assert ids(everything, session_id=SAK) == ids(everything, session_id=WAHA) == expected
    assert ids(clients["waha"]) == ids(clients["account"]) == expected
    assert ids(clients["stranger"]) == []
    messages: list[dict[str, Any]] = everything.get_data(f"/api/chats/{SENDER_PHONE}")["messages"]
    assert {m["message_id"]: m["told_by"] for m in messages} == {
        "M1": [SAK, WAHA],
        "M2": [SAK],
        "M3": [WAHA],
        "M4": [SAK, WAHA],
        "M5": [WAHA],
        "M6": [SAK],
        "M7": [WAHA],
    }
    assert messages[6]["status"] == "read"
    (chat,) = clients["account"].get_data("/api/chats")["contacts"]
    assert (chat["phone_number"], chat["unmarked_count"], chat["last_message"]["message_id"]) == (
        SENDER_PHONE,
        6,
        "M7",
    )


def test_a_page_names_the_gateway_that_missed_messages(history: HistoryWriter, clients: dict[str, ApiClient]) -> None:
    """Only incoming messages count, because some gateways never report our own."""
    told(history, SAK)
    told(history, WAHA)
    join(history)
    history.execute("UPDATE account_sessions SET first_at = %s", BASE_TIME + NOW - 600_000)
    told(history, SAK, 1, 2)
    told(history, WAHA, 1, 3, 5, 7)
    join(history)

    messages = clients["all"].get_data(f"/api/chats/{SENDER_PHONE}")["messages"]
    assert {m["message_id"]: m["missed_by"] for m in messages} == {
        "M1": [],
        "M2": [WAHA],
        "M3": [SAK],
        "M5": [SAK],
        "M7": [],
    }
    sessions = clients["all"].get_data("/api/sessions")["sessions"]
    assert {one["session_id"]: one["missed"]["messages"] for one in sessions} == {SAK: 2, WAHA: 1}
    assert [(one["account"], one["account_sessions"]) for one in sessions] == [(OUR_PHONE, [SAK, WAHA])] * 2


def test_a_move_to_another_gateway_keeps_the_history_and_its_ids(
    history: HistoryWriter, clients: dict[str, ApiClient]
) -> None:
    """The history of SAK stays in place, the messages of the other gateway follow it, and read messages stay read."""
    told(history, SAK, 1, 2)
    everything = clients["all"]
    before = everything.get_data(f"/api/chats/{SENDER_PHONE}")["messages"]
    everything.post(f"/api/chats/{SENDER_PHONE}/read")

    told(history, WAHA, 2, 3, 4)
    join(history)

    after = everything.get_data(f"/api/chats/{SENDER_PHONE}")["messages"]
    assert [m["message_id"] for m in after] == ["M1", "M2", "M3", "M4"]
    assert after[0]["id"] == before[0]["id"]
    assert [m["unread"] for m in after] == [False, False, True, True]
    (chat,) = everything.get_data("/api/chats")["contacts"]
    assert (chat["session_id"], chat["unread_count"]) == (SAK, 2)
    assert ids(everything, around="M3", limit="3") == ["M2", "M3", "M4"]
