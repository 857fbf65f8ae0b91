"""Tests GOWA's events beyond the recorded ones: LIDs, the perspective of other people and our own receipts."""

import json

import pytest

from store.model.facts import Ack, Delete, Fact, LidAlias, Message
from worker.senders.gowa import parser

OWN, ASHA = "919880000001@s.whatsapp.net", "919811000011@s.whatsapp.net"
TEXT: dict[str, object] = {
    "id": "3A01",
    "chat_id": ASHA,
    "from": ASHA,
    "is_from_me": False,
    "body": "Hi",
    "timestamp": "2026-09-10T05:56:50+05:30",
}


def outcome_of(event: str, payload: dict[str, object]) -> tuple[str, str | None, tuple[Fact, ...]]:
    outcome = parser.parse(json.dumps({"device_id": OWN, "event": event, "payload": payload}).encode()).outcome
    return outcome.kind, outcome.reason, outcome.facts


def message_of(payload: dict[str, object]) -> Message:
    message = outcome_of("message", payload)[2][0]
    assert isinstance(message, Message)
    return message


def test_a_lid_stands_beside_the_phone_that_gowa_knows() -> None:
    """Receipts contain only the LID, so they would find no message without the alias."""
    lids: dict[str, object] = {"chat_lid": "200000000000011@lid", "from_lid": "200000000000011@lid"}

    _, _, facts = outcome_of("message", TEXT | lids)

    assert LidAlias("200000000000011@lid", "919811000011", 1789000010000) in facts
    assert sum(isinstance(fact, LidAlias) for fact in facts) == 1


def test_a_group_s_lid_is_the_sender_s() -> None:
    """A group has no LID."""
    group: dict[str, object] = {"chat_id": "120363040000000021@g.us", "from_lid": "200000000000011@lid"}

    message, *evidence = outcome_of("message", TEXT | group)[2]

    assert isinstance(message, Message)
    assert message.sender == "919811000011"
    assert evidence[0] == LidAlias("200000000000011@lid", "919811000011", 1789000010000)


def test_our_own_number_as_the_chat_of_an_incoming_message_is_not_the_chat() -> None:
    """GOWA's documentation has such an event. A note to oneself is an outgoing message."""
    assert message_of(TEXT | {"chat_id": OWN}).address == "919811000011"
    assert message_of(TEXT | {"chat_id": OWN, "from": OWN, "is_from_me": True}).address == "919880000001"


def test_who_deletes_is_the_sender_of_the_deletion() -> None:
    """`revoked_from_me` and `revoked_chat` are from the perspective of the other side."""
    payload = TEXT | {"revoked_message_id": "3A00", "revoked_from_me": True, "revoked_chat": OWN}

    deleted = outcome_of("message.revoked", payload)[2][0]

    assert deleted == Delete("3A00", "919811000011", "incoming", None, 1789000010000)


@pytest.mark.parametrize(
    ("event", "payload", "reason"),
    [
        *(("message.ack", {"ids": ["3A01"], "receipt_type": word}, "own_receipt") for word in ("read-self", "retry")),
        ("message.edited", {"original_message_id": "3A00", "body": None}, "edit_untold"),
        ("newsletter.message", {}, "gateway_notice"),
    ],
)
def test_what_tells_nothing_of_the_history_is_noise(event: str, payload: dict[str, object], reason: str) -> None:
    """A read receipt for our own devices says nothing about the recipient."""
    assert outcome_of(event, TEXT | payload) == ("noise", reason, ())


def test_a_played_receipt_counts_for_each_message_that_it_lists() -> None:
    """A receipt may list many messages."""
    facts = outcome_of("message.ack", {"ids": ["3A01", "3A02"], "receipt_type": "played", "chat_id": ASHA})[2]

    assert [(fact.message_id, fact.status) for fact in facts if isinstance(fact, Ack)] == [
        ("3A01", "played"),
        ("3A02", "played"),
    ]


@pytest.mark.parametrize(
    ("content", "type_", "text"),
    [
        ({"location": {"degreesLatitude": 12.5, "degreesLongitude": 77}}, "location", "12.5, 77"),
        ({"contacts_array": [{"displayName": "Meena"}, {"vcard": "BEGIN:VCARD\nFN:Ravi"}]}, "contact", "Meena\nRavi"),
        ({"video_note": {"path": "statics/media/1.mp4"}}, "video", None),
        ({}, "unknown", None),
    ],
)
def test_each_content_has_its_type_and_its_words(content: dict[str, object], type_: str, text: str | None) -> None:
    """GOWA sends no type, so it is derived from the key of the content."""
    message = message_of({name: value for name, value in TEXT.items() if name != "body"} | content)

    assert (message.type, message.text) == (type_, text)
