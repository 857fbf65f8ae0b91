"""Tests WAHA's events beyond the recorded ones: the form of every engine, LIDs and messages of a backfill."""

import json

import pytest

from store.model.facts import Delete, Edit, Fact, LidAlias, Message, SessionReport
from worker.senders.waha import parser

TEXT: dict[str, object] = {
    "id": "false_919811000011@c.us_3A01",
    "timestamp": 1789000010,
    "from": "919811000011@c.us",
    "body": "Hi",
}
LID = "200000000000011@lid"


def facts(event: str, payload: dict[str, object]) -> tuple[Fact, ...]:
    envelope = {"event": event, "session": "default", "timestamp": 1789000010420, "payload": payload}
    return parser.parse(json.dumps(envelope).encode()).outcome.facts


def message_of(payload: dict[str, object], event: str = "message") -> Message:
    message = facts(event, payload)[0]
    assert isinstance(message, Message)
    return message


@pytest.mark.parametrize("event", ["message", "message.any"])
def test_a_message_without_the_engine_s_own_is_read_from_what_waha_says(event: str) -> None:
    """The engine WPP and the Cloud engine send no protobuf message."""
    text = message_of(TEXT, event)
    file = message_of(
        TEXT | {"hasMedia": True, "media": {"mimetype": "image/png", "url": "https://w.example/1"}}, event
    )
    place = message_of(TEXT | {"body": None, "location": {"latitude": 12.5, "longitude": 77}}, event)

    assert (text.type, text.text, text.content_state) == ("text", "Hi", "complete")
    assert (file.type, file.caption, file.media_url) == ("image", "Hi", "https://w.example/1")
    assert (place.type, place.text) == ("location", "12.5, 77")


@pytest.mark.parametrize(
    "engine",
    [
        {"key": {"remoteJid": LID, "remoteJidAlt": "919811000011@s.whatsapp.net"}, "message": {"conversation": "Hi"}},
        {"Info": {"Chat": LID, "SenderAlt": "919811000011@s.whatsapp.net"}, "Message": {"conversation": "Hi"}},
    ],
    ids=["noweb", "gows"],
)
def test_the_engine_names_the_phone_of_a_lid(engine: dict[str, object]) -> None:
    """Without the alias, one person would have two chats."""
    message, alias = facts("message", TEXT | {"id": f"false_{LID}_3A01", "from": LID, "_data": engine})

    assert isinstance(message, Message)
    assert (message.address, alias) == (LID, LidAlias(LID, "919811000011", 1789000010000))


def test_an_update_inside_a_message_is_an_update() -> None:
    """Engines without `message.edited` forward the protobuf message."""
    protocol = {"key": {"id": "3A00"}, "type": 14, "editedMessage": {"conversation": "Hello"}}

    [edited] = facts("message", TEXT | {"_data": {"message": {"protocolMessage": protocol}}})

    assert edited == Edit("3A00", "919811000011", "incoming", None, "Hello", 1789000010000)


def test_a_deletion_of_an_older_version_names_the_message_itself() -> None:
    """`revokedMessageId` exists only in newer versions."""
    [deleted] = facts("message.revoked", {"after": TEXT, "before": TEXT})

    assert deleted == Delete("3A01", "919811000011", "incoming", None, 1789000010000)


@pytest.mark.parametrize(
    ("event", "payload", "reason"),
    [
        ("message.ack", {"id": "false_919811000011@c.us_3A01", "ackName": "READ"}, "own_receipt"),
        ("message.ack", {"id": "true_919811000011@c.us_3A01", "ackName": "TELEPORTED"}, "unknown_status"),
        ("session.status", {"status": "DANCING"}, "unknown_status"),
        ("message.edited", {"id": "false_919811000011@c.us_3A02", "body": "Hello"}, "edit_without_target"),
        ("message.reaction", {"id": "false_919811000011@c.us_3A02", "reaction": {"text": "x"}}, "reaction_unreadable"),
        ("message", {"id": "3A01", "body": "Hi"}, "no_address"),
        ("label.upsert", {"id": "1"}, "gateway_notice"),
    ],
)
def test_what_is_no_fact_has_a_reason(event: str, payload: dict[str, object], reason: str) -> None:
    """Receipts of messages that we read are noise, and events that cannot be read are parked."""
    envelope = {"event": event, "session": "default", "payload": payload}

    assert parser.parse(json.dumps(envelope).encode()).outcome.reason == reason


def test_a_message_that_waits_for_its_key_is_not_decrypted() -> None:
    assert message_of({**TEXT, "body": None}, "message.waiting").content_state == "undecrypted"


@pytest.mark.parametrize(
    ("status", "state"), [("FAILED", "disconnected"), ("STOPPED", "disconnected"), ("PASSKEY_REQUIRED", "connecting")]
)
def test_a_session_reports_its_state(status: str, state: str) -> None:
    """Outages begin and end with it."""
    [report] = facts("session.status", {"status": status})

    assert isinstance(report, SessionReport)
    assert report.state == state


def test_a_message_of_a_backfill_is_history() -> None:
    """It must not become unread."""
    assert message_of(TEXT, "backfill.message").is_history
    assert not message_of(TEXT).is_history
