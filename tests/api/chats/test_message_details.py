"""Tests the details of a message in the API, and which messages have files or links."""

import pytest

from store.model.facts import Ack
from store.reading.messages import message_details
from tests.support.history.history_writer import BASE_TIME, SENDER_PHONE, ApiClient, HistoryWriter, message_fact

CHAT = f"/api/chats/{SENDER_PHONE}"


def test_files_and_links_of_a_chat_are_listed(history: HistoryWriter, client: ApiClient) -> None:
    history.store(
        message_fact("see https://example.org", 1, id="A"),
        message_fact("at www.example.org", 2, id="B"),
        message_fact("no link: https and www.", 3, id="C"),
        message_fact(type="image", caption="HTTP://example.org", at=4, id="D"),
        message_fact(type="document", at=5, id="E"),
        message_fact(type="location", at=6, id="F"),
    )

    def listed(has: str) -> list[str]:
        return [one["message_id"] for one in client.get_data(CHAT, has=has)["messages"]]

    assert (listed("link"), listed("file")) == (["A", "B", "D"], ["D", "E"])


def test_a_message_has_its_receipts_copies_and_events(history: HistoryWriter, client: ApiClient) -> None:
    history.store(message_fact("sent", id="M1", direction="outgoing"), received_at=BASE_TIME + 500)
    history.store(Ack("M1", "delivered", SENDER_PHONE, BASE_TIME + 1000), Ack("M1", "read", None, BASE_TIME + 2000))

    details = client.get_data(f"{CHAT}/details", message_id="M1", raw=True)

    assert [one["status"] for one in details["receipts"]] == ["delivered", "read"]
    assert details["receipts"][0]["at"] == "2025-06-15T15:06:41.000Z"
    assert details["copies"] == [
        {"session_id": "s1", "address": SENDER_PHONE, "received_at": "2025-06-15T15:06:40.500Z"}
    ]
    assert (details["message"]["status"], details["message"]["versions"], details["sent_by"]) == ("read", [], None)
    assert len(details["events"]) == 3
    assert client.get_data(f"{CHAT}/details", message_id="M1")["events"] is None
    assert client.get(f"{CHAT}/details", message_id="other").status_code == 404


def test_the_details_have_only_the_newest_receipts_and_the_first_events(
    history: HistoryWriter, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway can report any number of them."""
    monkeypatch.setattr(message_details, "MAX_RECEIPTS", 2)
    monkeypatch.setattr(message_details, "MAX_EVENTS", 3)
    monkeypatch.setattr(message_details, "MAX_SHOWN_BODY_BYTES", 10)
    history.store(message_fact("sent", id="M1", direction="outgoing"))
    history.store(*(Ack("M1", "delivered", SENDER_PHONE, BASE_TIME + n * 1000) for n in range(4)))

    details = client.get_data(f"{CHAT}/details", message_id="M1", raw=True)

    assert [one["at"][17:19] for one in details["receipts"]] == ["42", "43"]
    assert [len(one["body"]) for one in details["events"]] == [10] * 3
