"""Tests wuzapi's events beyond the recorded ones: history, LIDs, the token, and bodies that are not forms."""

import json
from urllib.parse import urlencode

import pytest

from store.model.facts import Delete, Fact, LidAlias, Message
from worker.senders.wuzapi import parser, redaction

ASHA, LID = "919811000011@s.whatsapp.net", "200000000000011@lid"
INFO: dict[str, object] = {"Chat": ASHA, "Sender": ASHA, "ID": "3A01", "Timestamp": "2026-09-10T05:56:50+05:30"}


def facts(event: object, type_: str = "Message", **beside: object) -> tuple[Fact, ...]:
    document = json.dumps({"event": event, "type": type_, **beside})
    form = parser.parse(urlencode({"jsonData": document, "userID": "u1"}).encode()).outcome
    plain = parser.parse(json.dumps({"event": event, "type": type_, "userID": "u1", **beside}).encode()).outcome
    assert form == plain
    assert form.session_id == "u1"
    return form.facts


def test_the_other_address_of_the_sender_is_evidence() -> None:
    """In our own messages it is that of the recipient."""
    lid = {**INFO, "Chat": LID, "Sender": LID, "SenderAlt": ASHA}
    own = {**INFO, "Chat": LID, "IsFromMe": True, "SenderAlt": "200000000000099@lid", "RecipientAlt": ASHA}

    told = [facts({"Info": info, "Message": {"conversation": "Hi"}})[1:] for info in (lid, own)]

    assert told == 2 * [(LidAlias(LID, "919811000011", 1789000010000),)]


def test_a_deletion_by_an_admin_is_a_deletion() -> None:
    info = {**INFO, "Chat": "120363040000000021@g.us", "IsGroup": True, "Edit": "8"}
    revoke = {"protocolMessage": {"key": {"ID": "3A00"}, "type": 0}}

    assert facts({"Info": info, "Message": revoke}) == (
        Delete("3A00", "120363040000000021@g.us", "incoming", "919811000011", 1789000010000),
    )


def test_history_is_not_unread_and_one_odd_message_holds_up_no_other() -> None:
    """The phone sends its history when it is linked."""
    key = {"remoteJID": ASHA, "fromMe": False, "ID": "3A01"}
    past = {"key": key, "message": {"conversation": "Hi"}, "messageTimestamp": 1789000010}
    conversation = {"ID": ASHA, "messages": [{"message": past}, {"message": {"key": {"ID": "3A02"}}}, {}]}

    told = facts({"Data": {"conversations": [conversation]}}, "HistorySync")

    assert [(fact.message_id, fact.is_history, fact.content_state) for fact in told if isinstance(fact, Message)] == [
        ("3A01", True, "complete"),
        ("3A02", True, "undecrypted"),
    ]


@pytest.mark.parametrize("stub", ["REVOKE", 1])
def test_a_deleted_message_of_the_history_is_a_deletion(stub: object) -> None:
    """It must not be shown as a notice, and another gateway may have reported its text."""
    past = {"key": {"remoteJID": ASHA, "fromMe": False, "ID": "3A01"}, "messageTimestamp": 1789000010}
    conversation = {"ID": ASHA, "messages": [{"message": {**past, "messageStubType": stub}}]}

    assert facts({"Data": {"conversations": [conversation]}}, "HistorySync")[:1] == (
        Delete("3A01", "919811000011", "incoming", None, 1789000010000),
    )


@pytest.mark.parametrize(
    ("event", "type_", "beside", "reason"),
    [
        ({"Chat": ASHA, "MessageIDs": ["3A01"]}, "ReadReceipt", {"state": "ReadSelf"}, "own_receipt"),
        ({"Chat": ASHA, "MessageIDs": []}, "ReadReceipt", {"state": "Read"}, "no_message_id"),
        ({"Chat": ASHA, "MessageIDs": ["3A01"]}, "ReadReceipt", {}, "no_status"),
        ({"Data": {}}, "HistorySync", {}, "device_housekeeping"),
        ({"Info": INFO, "Message": {"senderKeyDistributionMessage": {"a": 1}}}, "Message", {}, "key_distribution"),
    ],
)
def test_what_is_no_fact_has_a_reason(event: object, type_: str, beside: dict[str, object], reason: str) -> None:
    body = json.dumps({"event": event, "type": type_, "userID": "u1", **beside}).encode()

    assert parser.parse(body).outcome.reason == reason


@pytest.mark.parametrize("body", [b"a=1", b"jsonData=%FF", b"&".join([b"a=1"] * 100)])
def test_a_form_without_an_event_is_parked(body: bytes) -> None:
    assert parser.parse(body).outcome.reason == "not_json"


def test_the_token_of_older_versions_is_taken_out() -> None:
    """It is the user's password for the API."""
    form = urlencode({"jsonData": '{"type":"QR"}', "token": "T0", "userID": "u1"}).encode()

    assert redaction.redact(form) == form.replace(b"token=T0", b"token=")
    assert redaction.redact(b'{"type":"QR","token":"T0"}') == b'{"type":"QR","token":null}'


def form_data(file: bytes = b"\xff\xd8\r\n--not the delimiter\r\n", **fields: str) -> bytes:
    """Return a multipart form as Go writes it."""
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts.insert(
        1,
        b'Content-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n' + file,
    )
    return b"--b0undary\r\n" + b"\r\n--b0undary\r\n".join(parts) + b"\r\n--b0undary--\r\n"


def test_a_form_with_a_file_tells_what_the_form_alone_would() -> None:
    """With a file, every version of wuzapi posts a multipart form."""
    event = {"Info": INFO, "Message": {"imageMessage": {"caption": "नमस्ते & <more>", "mimetype": "image/jpeg"}}}
    document = json.dumps({"event": event, "type": "Message"}, ensure_ascii=False)

    outcome = parser.parse(form_data(jsonData=document, userID="u1", file_path="/app/a.jpg")).outcome

    assert (outcome.session_id, outcome.facts) == ("u1", facts(event))


def test_a_file_and_the_token_are_taken_out_of_a_form() -> None:
    """The file is not part of the history."""
    whole = form_data(jsonData='{"type":"QR"}', token="T0", userID="u1")

    redacted = redaction.redact(whole)

    assert redacted == form_data(b"", jsonData='{"type":"QR"}', token="", userID="u1")
    assert redaction.redact(redacted) == redacted


@pytest.mark.parametrize(
    "body",
    [
        form_data(jsonData="{}")[:-4],
        form_data(other="{}"),
        b"--\r\n--\r\n",
        b"--b\r\nno headers\r\n--b--\r\n",
        form_data(b"", **{f"n{at}": "" for at in range(40)}),
    ],
)
def test_a_form_that_is_cut_or_has_no_event_is_parked(body: bytes) -> None:
    outcome = parser.parse(body).outcome

    assert (outcome.kind, outcome.reason) == ("parked", "not_json")
    assert redaction.redact(body) == body or b"file" in body
