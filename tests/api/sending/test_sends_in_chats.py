"""Tests sends among the messages of a chat, and in the change feed."""

import itertools
import random
from typing import Any

import psycopg

from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from tests.support.history.history_writer import BASE_TIME, SENDER_PHONE, ApiClient, HistoryWriter, message_fact
from tests.support.processes.sending_api import SESSION_ID

FILL = """
INSERT INTO sends (send_id, session_id, chat_id, address, kind, text, state, gateway_id, timestamp, token, owner)
SELECT gen_random_uuid(), c.session_id, c.chat_id, c.address, 'text', %(text)s, 'queued', %(gateway)s, %(at)s, 't', 'o'
FROM chats AS c
WHERE c.address = %(address)s
"""


def queue(history: HistoryWriter, text: str, at: int, gateway: str | None = None) -> None:
    with psycopg.connect(history.database_url) as connection:
        connection.execute(FILL, {"text": text, "gateway": gateway, "at": BASE_TIME + at, "address": SENDER_PHONE})


def pages(client: ApiClient, direction: str, **wanted: str | int) -> list[str]:
    """Return every text of the chat, page by page, in the order of the chat."""
    texts: list[list[str]] = []
    position: dict[str, str] = {}
    if direction == "after":
        newest = client.get_data(f"/api/chats/{SENDER_PHONE}", limit=500)["messages"]
        first = client.get_data(
            f"/api/chats/{SENDER_PHONE}", around=newest[0]["message_id"] or newest[0]["send_id"], limit=2
        )
        texts.append([one["message_text"] for one in first["messages"]])
        position = {"after": first["after"]} if first["after"] else {}
        if not position:
            return texts[0]
    while True:
        page = client.get_data(f"/api/chats/{SENDER_PHONE}", limit=2, **position, **wanted)
        texts.append([one["message_text"] for one in page["messages"]])
        if page[direction] is None:
            break
        position = {direction: page[direction]}
    return list(itertools.chain(*(texts if direction == "after" else reversed(texts))))


def test_pages_hold_messages_and_sends_in_their_order_without_gap_or_repeat(
    history: HistoryWriter, client: ApiClient
) -> None:
    """A send that is not a message yet must not make a page skip or repeat its neighbours."""
    chance = random.Random(7)
    times = [chance.randrange(6) * 1000 for _ in range(24)]
    for number, at in enumerate(times):
        if number % 3:
            history.store(message_fact(f"m{number}", at), session="s1")
        else:
            history.store(message_fact("first", -1, id="F"), session="s1")
            queue(history, f"s{number}", at)
    everything = [one["message_text"] for one in client.get_data(f"/api/chats/{SENDER_PHONE}", limit=500)["messages"]]

    assert len(everything) == len(set(everything)) == 25
    assert pages(client, "before") == everything
    assert pages(client, "after") == everything
    stamps = [one["timestamp"] for one in client.get_data(f"/api/chats/{SENDER_PHONE}", limit=500)["messages"]]
    assert stamps == sorted(stamps)


def test_filters_apply_to_sends(history: HistoryWriter, client: ApiClient) -> None:
    """A queued text counts as outgoing, and as a text."""
    history.store(message_fact("in"), session="s1")
    queue(history, "out", 1000)

    def texts(**wanted: str | int) -> list[str]:
        return [one["message_text"] for one in client.get_data(f"/api/chats/{SENDER_PHONE}", **wanted)["messages"]]

    assert texts(direction="outgoing") == texts(type="text", direction="outgoing") == ["out"]
    assert (texts(direction="incoming"), texts(type="image"), texts(until=BASE_TIME + 1)) == (["in"], [], ["in"])


def test_a_reader_can_mark_read_up_to_a_send(history: HistoryWriter, client: ApiClient) -> None:
    """The last entry of a page may be a queued send."""
    history.store(message_fact("in", 0), session="s1")
    queue(history, "out", 1000, gateway="q1")
    history.store(message_fact("later", 2000), session="s1")

    answer = client.post(f"/api/chats/{SENDER_PHONE}/read", {"up_to": "q1"})

    assert answer.json()["data"]["unread_count"] == 1


def test_a_send_has_every_field_that_a_message_has(history: HistoryWriter, client: ApiClient) -> None:
    """A dashboard displays both with the same code."""
    history.store(message_fact("in"), session="s1")
    queue(history, "out", 1000)

    first, second = client.get_data(f"/api/chats/{SENDER_PHONE}")["messages"]

    assert list(first) == list(second)
    assert (first["send_id"], first["id"] is None, second["id"], bool(second["send_id"])) == (None, False, None, True)


def test_the_feed_has_each_state_of_a_send_with_the_entry_of_the_chat(
    gateway: PretendGateway, sending_client: ApiClient
) -> None:
    """A dashboard replaces the pending send with its message, because both have the send's id."""
    gateway.misbehave(Misbehaviour("queued"))
    since = sending_client.get_data("/api/changes")["cursor"]
    queued = sending_client.post("/api/send", {"to": SENDER_PHONE, "text": "one"}).json()["data"]["send_id"]
    sent = sending_client.post("/api/send", {"to": SENDER_PHONE, "text": "two"}).json()["data"]["send_id"]

    told: list[dict[str, Any]] = sending_client.get_data("/api/changes", since=since)["changes"]
    shown = {one["send_id"]: one for one in sending_client.get_data(f"/api/chats/{SENDER_PHONE}")["messages"]}

    kinds = [(one["kind"], one["message"]["send_id"]) for one in told]
    assert kinds == [("send", queued)] * 2 + [("send", sent), ("message", sent), ("send", sent)]
    assert all(one["message"] == shown[one["message"]["send_id"]] for one in told)
    assert all((one["session_id"], one["address"]) == (SESSION_ID, SENDER_PHONE) for one in told)
    assert all(one["rev"] == one["message"]["rev"] for one in told)
    assert shown[queued]["status"] == "queued"
    assert shown[sent]["status"] == "sent"
