"""Tests Evolution's events beyond the recorded ones: lists, edits of either side, notices and the token."""

import json

import pytest

from store.model.facts import Delete, DisplayName, Edit, Fact, LidAlias, Message, SessionReport
from worker.senders.evolution import parser, redaction

OWN, ASHA = "919880000001@s.whatsapp.net", "919811000011@s.whatsapp.net"
GROUP = "120363040000000021@g.us"
KEY: dict[str, object] = {"remoteJid": ASHA, "fromMe": False, "id": "3A01"}
TEXT: dict[str, object] = {
    "key": KEY,
    "pushName": "Asha",
    "message": {"conversation": "Hi"},
    "messageTimestamp": 1789000010,
}


def body(event: str, data: object) -> bytes:
    return json.dumps({"event": event, "instance": "shop", "data": data, "sender": OWN, "apikey": "T0"}).encode()


def facts(event: str, data: object) -> tuple[Fact, ...]:
    return parser.parse(body(event, data)).outcome.facts


def test_history_tells_many_messages_that_are_not_unread() -> None:
    """A message that cannot be read does not affect the others."""
    odd = {**TEXT, "key": {"id": "3A02"}}
    notice = {**TEXT, "key": {**KEY, "id": "3A03"}, "message": None, "messageStubType": 40}

    told = [fact for fact in facts("messages.set", [TEXT, odd, notice]) if isinstance(fact, Message)]

    assert [(fact.message_id, fact.type, fact.is_history) for fact in told] == [
        ("3A01", "text", True),
        ("3A03", "system", True),
    ]


@pytest.mark.parametrize(
    ("key", "edit"),
    [
        ({"remoteJid": OWN, "fromMe": True}, Edit("3A01", None, "incoming", None, "Hello", 1789000020000)),
        ({"remoteJid": ASHA, "fromMe": True}, Edit("3A01", "919811000011", "outgoing", None, "Hello", 1789000020000)),
        ({"remoteJid": GROUP, "fromMe": True}, Edit("3A01", GROUP, None, None, "Hello", 1789000020000)),
        (
            {"remoteJid": "200000000000011@lid", "fromMe": True},
            Edit("3A01", None, None, None, "Hello", 1789000020000),
        ),
    ],
)
def test_an_edit_is_told_as_its_editor_sees_it(key: dict[str, object], edit: Edit) -> None:
    """Our own number in the key means that the other side made the edit."""
    protocol = {"key": {**key, "id": "3A01"}, "type": 14, "timestampMs": "1789000020000"}

    assert facts("messages.edited", protocol | {"editedMessage": {"conversation": "Hello"}}) == (edit,)


@pytest.mark.parametrize("type_", ["REVOKE", 0, "EPHEMERAL_SETTING", 3])
def test_a_protocol_message_that_is_no_edit_blanks_no_text(type_: object) -> None:
    """`messages.edited` is sent for every protocol message. A delete is an event of its own, with the chat."""
    outcome = parser.parse(body("messages.edited", {"key": KEY, "type": type_})).outcome

    assert (outcome.kind, outcome.reason) == ("noise", "protocol_message")


def test_a_deletion_by_the_api_has_its_key_inside() -> None:
    key = {"remoteJid": GROUP, "fromMe": False, "id": "3A01", "participant": ASHA}

    assert facts("messages.delete", {"key": key, "status": "DELETED"}) == (
        Delete("3A01", GROUP, "incoming", "919811000011", None),
    )


def test_the_alternative_address_is_evidence() -> None:
    """Newer versions name the chat by its LID."""
    key = {**KEY, "remoteJid": "200000000000011@lid", "remoteJidAlt": ASHA}

    assert LidAlias("200000000000011@lid", "919811000011", 1789000010000) in facts(
        "messages.upsert", TEXT | {"key": key}
    )


def test_a_contact_that_is_a_group_names_nobody() -> None:
    """Its push name is that of the member who wrote last."""
    contacts = [{"remoteJid": GROUP, "pushName": "Zoya"}, {"remoteJid": ASHA, "pushName": "Asha"}]

    assert facts("contacts.upsert", contacts) == (DisplayName("919811000011", "Asha", 1, None),)


@pytest.mark.parametrize(
    ("event", "data", "kind", "reason"),
    [
        ("messages.update", {"keyId": "3A01", "pollUpdates": [{"name": "A"}]}, "noise", "poll_vote"),
        ("messages.update", {"keyId": "3A01", "fromMe": False, "status": "READ"}, "noise", "own_receipt"),
        ("messages.update", {"keyId": "3A01", "fromMe": True}, "parked", "no_status"),
        ("contacts.update", {"remoteJid": ASHA, "pushName": None}, "noise", "gateway_notice"),
        ("chats.upsert", [{"remoteJid": ASHA}], "noise", "gateway_notice"),
        ("messages.upsert", [], "parked", "unknown_shape"),
    ],
)
def test_what_is_no_fact_has_a_reason(event: str, data: object, kind: str, reason: str) -> None:
    outcome = parser.parse(body(event, data)).outcome

    assert (outcome.kind, outcome.reason) == (kind, reason)


def test_a_connection_that_the_phone_removed_is_logged_out() -> None:
    [report] = facts("connection.update", {"state": "close", "statusReason": 401})

    assert report == SessionReport("logged_out", None, None)


def test_the_token_is_taken_out_and_nothing_else() -> None:
    """The token is valid, and raw bodies are kept for months."""
    said = body("messages.upsert", TEXT | {"message": {"conversation": 'my "apikey":"T0" here'}})

    redacted = redaction.redact(said)

    assert json.loads(redacted) == json.loads(said) | {"apikey": None}
    assert redaction.redact(redacted) == redacted
    assert redaction.redact(b'"apikey":"' * 100_000).count(b"null") == 50_000
