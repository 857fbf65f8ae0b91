"""Tests stars, labels and notes: who may change them, how they are found, and that they survive merges."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from store.access import tokens
from store.annotations import labels, notes
from store.model.facts import SessionReport
from store.postgres import connections
from tests.support.history import account_merging
from tests.support.history.history_writer import (
    BASE_TIME,
    SENDER_LID,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    alias_fact,
    message_fact,
)

CHAT = f"/api/chats/{SENDER_PHONE}"
LID_CHAT = f"/api/chats/{SENDER_LID}"
OTHER_PHONE = "919811000002"


def star(client: ApiClient, message_id: str, *, starred: bool = True, chat: str = CHAT) -> int:
    return client.post(f"{chat}/star", {"message_id": message_id, "starred": starred}).status_code


def starred_ids(client: ApiClient) -> list[str]:
    return [one["message_id"] for one in client.get_data(CHAT, starred=True)["messages"]]


def all_starred_ids(client: ApiClient, label: str) -> list[str]:
    return [one["message_id"] for one in client.get_data("/api/starred", label=label)["messages"]]


def found_ids(client: ApiClient, q: str, **parameters: Any) -> list[str]:  # noqa: ANN401 - parameters
    """Return the ids of the messages that a search finds after all are indexed."""
    while not (page := client.get_data("/api/search", q=q, **parameters))["complete"]:
        time.sleep(0.05)
    return [hit["message_id"] for hit in page["results"]]


def profile(client: ApiClient, chat: str = CHAT) -> dict[str, Any]:
    (found,) = client.get_data(f"{chat}/profile")["chats"]
    return found


def texts(profiled: dict[str, Any]) -> list[str]:
    return [note["text"] for note in profiled["notes"]]


@pytest.fixture
def reader(history: HistoryWriter, api_url: str) -> Iterator[ApiClient]:
    """Return a client with read access only."""
    with connections.open(history.database_url, "test") as connection, requests.Session() as http:
        http.headers["authorization"] = f"Bearer {tokens.create(connection, 'reader', ['read'])}"
        yield ApiClient(api_url, http)


def test_a_starred_message_is_in_every_list_and_in_the_change_feed(history: HistoryWriter, client: ApiClient) -> None:
    """A star set in one tab appears in other tabs, in its chat and in the list of all stars."""
    history.store(*(message_fact(f"order {n}", n, id=f"M{n}") for n in range(4)))
    history.store(message_fact("order 9", 9, id="M9", address=OTHER_PHONE))
    since = client.current_cursor()

    assert [star(client, "M1"), star(client, "M2"), star(client, "M1")] == [200] * 3
    assert star(client, "M9", chat=f"/api/chats/{OTHER_PHONE}") == 200
    assert star(client, "nonsense") == 404
    changes = client.get_data("/api/changes", since=since)["changes"]
    assert [(one["kind"], one["message"]["message_id"], one["message"]["starred"]) for one in changes] == [
        ("star", "M1", True),
        ("star", "M2", True),
        ("star", "M9", True),
    ]
    assert starred_ids(client) == ["M1", "M2"]
    first = client.get_data("/api/starred", limit=2)
    second = client.get_data("/api/starred", limit=2, cursor=first["cursor"])
    assert [one["message_id"] for one in first["messages"] + second["messages"]] == ["M9", "M2", "M1"]
    assert second["cursor"] is None
    star(client, "M1", starred=False)
    assert starred_ids(client) == ["M2"]
    assert found_ids(client, "order", starred=True) == ["M9", "M2"]


def test_a_star_stays_with_its_message_whichever_copy_is_shown(history: HistoryWriter, client: ApiClient) -> None:
    """The better copy of a message arrives later, from the phone that turns out to belong to the LID."""
    history.store(message_fact(None, id="M1", address=SENDER_LID, type="image"))
    star(client, "M1", chat=LID_CHAT)
    history.store(message_fact("the text", id="M1"), alias_fact())

    (message,) = client.get_data(CHAT)["messages"]
    assert (message["message_text"], message["starred"]) == ("the text", True)
    assert star(client, "M1", starred=False) == 200
    assert history.rows("SELECT count(*) FILTER (WHERE starred), count(*) FROM whatsapp_messages") == [(0, 2)]


def test_labels_sort_chats_and_filter_every_list(history: HistoryWriter, client: ApiClient) -> None:
    history.store(message_fact("rice, please", 1, id="M1"), message_fact("rice!", 2, id="M2", address=OTHER_PHONE))
    since = client.current_cursor()

    added = client.post(f"{CHAT}/labels", {"add": [" wholesale ", "vip 👑", "wholesale"]}).json()["data"]
    client.post(f"/api/chats/{OTHER_PHONE}/labels", {"add": ["wholesale"]})
    removed = client.post(f"{CHAT}/labels", {"remove": ["wholesale"]}).json()["data"]
    again = client.post(f"{CHAT}/labels", {"add": ["vip 👑"], "remove": ["never had"]})

    assert (added, removed, again.status_code) == (
        {"labels": ["vip 👑", "wholesale"]},
        {"labels": ["vip 👑"]},
        200,
    )
    changes = client.get_data("/api/changes", since=since)["changes"]
    assert [(one["kind"], one["chat"]["address"], one["chat"]["labels"]) for one in changes] == [
        ("label", SENDER_PHONE, ["vip 👑"]),
        ("label", OTHER_PHONE, ["wholesale"]),
        ("label", SENDER_PHONE, ["vip 👑"]),
    ]
    assert client.get_data("/api/labels")["labels"] == [
        {"label": "vip 👑", "chats": 1},
        {"label": "wholesale", "chats": 1},
    ]

    def addresses(**parameters: str) -> list[str]:
        return [chat["address"] for chat in client.get_data("/api/chats", **parameters)["contacts"]]

    assert addresses(label="wholesale") == addresses(label="wholesale", q="rice") == [OTHER_PHONE]
    assert addresses(q="vip") == addresses(label="vip 👑", session_id="s1") == [SENDER_PHONE]
    assert addresses(label="wholesale", q="nowhere") == addresses(label="none") == []
    assert found_ids(client, "rice", label="wholesale") == ["M2"]
    star(client, "M1")
    assert (all_starred_ids(client, "vip 👑"), all_starred_ids(client, "wholesale")) == (["M1"], [])


def test_notes_are_written_changed_found_and_deleted(history: HistoryWriter, client: ApiClient) -> None:
    history.store(message_fact("hello"), message_fact("hello too", address=OTHER_PHONE))
    client.post(f"{CHAT}/notes", {"text": "Pays late"})
    written = client.post(f"{CHAT}/notes", {"text": "\nWants *two*\nbags "}).json()["data"]["notes"]
    first = written[1]["id"]

    changed = client.post(f"{CHAT}/notes/{first}", {"text": "Pays at once"}).json()["data"]["notes"]
    assert [note["text"] for note in changed] == ["Wants *two*\nbags", "Pays at once"]
    assert (changed[1]["author"], changed[0]["changed_at"], bool(changed[1]["changed_at"])) == ("bootstrap", None, True)
    found = client.get_data("/api/chats", q="bags wants")["contacts"]
    assert [chat["address"] for chat in found] == [SENDER_PHONE]
    assert client.post(f"/api/chats/{OTHER_PHONE}/notes/{first}", {"text": "x"}).status_code == 404
    deleted = client.http.delete(f"{client.url}{CHAT}/notes/{first}", timeout=30)
    assert deleted.json()["data"]["notes"] == profile(client)["notes"] == changed[:1]
    assert client.http.delete(f"{client.url}{CHAT}/notes/{first}", timeout=30).status_code == 404


def test_labels_and_notes_follow_a_person_through_merges(history: HistoryWriter, client: ApiClient) -> None:
    """They are added to a LID and in a second session, before it is known that both are the same person."""
    history.store(SessionReport("connected", "919800000000", BASE_TIME), message_fact("hi", 1, id="A"))
    history.store(message_fact("from the LID", 2, id="B", address=SENDER_LID))
    history.store(
        SessionReport("connected", "919800000000", BASE_TIME),
        message_fact("hi", 1, id="A"),
        message_fact("more", 3, id="C"),
        session="s2",
    )
    for path, name, session in ((CHAT, "phone", "s1"), (LID_CHAT, "lid", "s1"), (CHAT, "second", "s2")):
        client.post(f"{path}/labels", {"add": [name, "all"]}, session_id=session)
        client.post(f"{path}/notes", {"text": name}, session_id=session)
    star(client, "C")
    assert client.post(f"{CHAT}/notes", {"text": "which?"}).json()["code"] == "several_chats"

    history.store(alias_fact())
    account_merging.join_and_merge(history.database_url)

    merged = profile(client)
    assert merged["labels"] == ["all", "lid", "phone", "second"]
    assert sorted(texts(merged)) == ["lid", "phone", "second"]
    assert {(one["session_id"], one["address"]) for one in merged["addresses"]} == {
        ("s1", SENDER_PHONE),
        ("s1", SENDER_LID),
        ("s2", SENDER_PHONE),
    }
    assert merged["first_message_at"] < merged["last_incoming_at"] == merged["last_message_at"]
    assert starred_ids(client) == ["C"]
    assert client.post(f"{CHAT}/labels", {"remove": ["all"]}).json()["data"]["labels"] == ["lid", "phone", "second"]
    assert client.get_data("/api/labels")["labels"] == [
        {"label": label, "chats": 1} for label in ("lid", "phone", "second")
    ]


def test_a_token_that_may_only_read_changes_nothing(
    history: HistoryWriter, client: ApiClient, reader: ApiClient
) -> None:
    history.store(message_fact(id="M1"))
    note = client.post(f"{CHAT}/notes", {"text": "kept"}).json()["data"]["notes"][0]["id"]

    refused = [
        reader.post(f"{CHAT}/star", {"message_id": "M1"}),
        reader.post(f"{CHAT}/labels", {"add": ["x"]}),
        reader.post(f"{CHAT}/notes", {"text": "x"}),
        reader.post(f"{CHAT}/notes/{note}", {"text": "x"}),
        reader.http.delete(f"{reader.url}{CHAT}/notes/{note}", timeout=30),
        reader.get(f"{CHAT}/details", message_id="M1", raw=True),
    ]
    assert [(one.status_code, one.json()["code"]) for one in refused] == [(403, "scope_missing")] * 6
    assert (texts(profile(reader)), profile(reader)["labels"], starred_ids(reader)) == (["kept"], [], [])


def test_an_invalid_change_is_refused(client: ApiClient) -> None:
    """Invalid input must never cause a 500."""
    bodies = {
        "star": [
            b"{}", b"[]", b'{"message_id": ""}', b'{"message_id": "\\u0000"}', b'{"message_id": "M", "starred": 1}',
        ],
        "labels": [
            b"", b"{}", b'{"add": "x"}', b'{"add": [1]}', b'{"add": ["  "]}', b'{"add": ["a\\nb"]}',
            b'{"remove": ["\\ud800"]}', f'{{"add": ["{"x" * (labels.MAX_LENGTH + 1)}"]}}'.encode(),
        ],
        "notes": [
            b'{"text": null}', b'{"text": "\\u0000"}', f'{{"text": "{"x" * (notes.MAX_LENGTH + 1)}"}}'.encode(),
        ],
    }  # fmt: skip
    answers = [
        client.http.post(f"{client.url}{CHAT}/{path}", data=body, timeout=30)
        for path, group in bodies.items()
        for body in group
    ]

    assert {answer.status_code for answer in answers} == {400}
    assert {answer.json()["code"] for answer in answers} == {"bad_json", "bad_parameter"}


def test_a_chat_and_a_session_have_limited_numbers_of_labels_and_notes(
    history: HistoryWriter, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are part of each row in the list of chats, and the dashboard lists all of a session."""
    assert client.post(f"{CHAT}/labels", {"add": ["x"]}).json()["code"] == "chat_not_found"
    history.store(message_fact(), message_fact(address=OTHER_PHONE))
    most = [f"label {n:02}" for n in range(labels.MAX_PER_CHAT)]

    assert client.post(f"{CHAT}/labels", {"add": most}).json()["data"]["labels"] == most
    assert client.post(f"{CHAT}/labels", {"add": ["one more"]}).json()["code"] == "too_many_annotations"
    assert profile(client)["labels"] == most
    monkeypatch.setattr(labels, "MAX_OF_SESSION", len(most))
    assert client.post(f"/api/chats/{OTHER_PHONE}/labels", {"add": ["one more"]}).status_code == 409
    assert client.post(f"/api/chats/{OTHER_PHONE}/labels", {"add": most[:1]}).status_code == 200
    monkeypatch.setattr(notes, "MAX_PER_CHAT", 2)
    assert [client.post(f"{CHAT}/notes", {"text": "x"}).status_code for _ in range(3)] == [200, 200, 409]
