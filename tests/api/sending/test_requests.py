"""Tests recipients and contents of sends, and requests that are refused before anything is stored."""

from typing import Any

import pytest

from dev.gateway.server import PretendGateway
from store.access import tokens
from store.postgres import connections
from tests.support.history.history_writer import SENDER_LID, ApiClient, HistoryWriter, alias_fact, message_fact
from tests.support.processes.sending_api import RECIPIENT_PHONE, SESSION_ID, ApiStarter


@pytest.mark.parametrize(
    "to",
    [
        RECIPIENT_PHONE,
        "+91 98110-00009",
        "9811000009",
        "919811000009@s.whatsapp.net",
        "919811000009:22@c.us",
        919811000009,
    ],
)
def test_the_question_is_stored_in_the_chat_that_the_answer_comes_to(
    to: object, gateway: PretendGateway, sending_client: ApiClient, history: HistoryWriter
) -> None:
    """SAK dials the digits of `to`. A chat under another spelling would never contain the reply."""
    assert sending_client.post("/api/send", {"to": to, "text": "hello"}).status_code == 200
    history.store(message_fact("yes?", address=RECIPIENT_PHONE), session=SESSION_ID)

    assert len(sending_client.get_data("/api/chats")["contacts"]) == 1
    assert len(sending_client.get_data(f"/api/chats/{RECIPIENT_PHONE}")["messages"]) == 2
    assert [one.phone for one in gateway.state.delivered_messages()] == [RECIPIENT_PHONE]


def test_a_send_to_a_lid_goes_to_its_phone(
    gateway: PretendGateway, sending_client: ApiClient, history: HistoryWriter
) -> None:
    """A dashboard can answer any chat that it shows, whatever its address is."""
    history.store(message_fact(address=SENDER_LID), alias_fact(phone=RECIPIENT_PHONE), session=SESSION_ID)

    assert sending_client.post("/api/send", {"to": SENDER_LID, "text": "hello"}).status_code == 200
    assert [one.phone for one in gateway.state.delivered_messages()] == [RECIPIENT_PHONE]


def test_a_number_with_two_national_spellings_is_dialled_as_its_messages_come(
    gateway: PretendGateway, sending_client: ApiClient, history: HistoryWriter
) -> None:
    """WhatsApp knows a Brazilian mobile number by one spelling only. A message to the other reaches nobody."""
    standard, before = "5511900000001", "551100000001"
    history.store(message_fact(address=before), alias_fact(before, standard), session=SESSION_ID)

    assert sending_client.post("/api/send", {"to": f"+{standard}", "text": "olá"}).status_code == 200
    assert [one.phone for one in gateway.state.delivered_messages()] == [before]
    assert len(sending_client.get_data(f"/api/chats/{standard}")["messages"]) == 2


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("120363041234567890@g.us", "bad_recipient"),
        (SENDER_LID, "unknown_lid"),
        ("120363999999@newsletter", "bad_recipient"),
        ("status@broadcast", "bad_recipient"),
        ("1234567", "bad_recipient"),
        ("098110 00123", "bad_recipient"),
        ("+45 12 34 56 78", "bad_recipient"),
        ("0@s.whatsapp.net", "bad_recipient"),
        ("1" * 16, "bad_recipient"),
        ("hello", "bad_recipient"),
        ("९१९८११०००००९", "bad_recipient"),
        ("", "bad_parameter"),
        (None, "bad_parameter"),
        (True, "bad_parameter"),
        ([], "bad_parameter"),
        ("9198\0" + "11000009", "bad_parameter"),
    ],
)
def test_an_impossible_recipient_is_refused_at_once(
    to: object, code: str, gateway: PretendGateway, sending_client: ApiClient, history: HistoryWriter
) -> None:
    """SAK would remove unknown characters and dial the rest."""
    answer = sending_client.post("/api/send", {"to": to, "text": "hello"})

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert gateway.state.call_counts() == {}
    assert history.rows("SELECT count(*) FROM sends") == [(0,)]


@pytest.mark.parametrize("text", ["", "  \n", None, 5, "a\0b", "\ud800", "x" * 65_537])
def test_a_text_that_cannot_be_kept_is_refused(text: Any, gateway: PretendGateway, sending_client: ApiClient) -> None:  # noqa: ANN401 - JSON
    """The text that is sent and the text that is stored must be the same."""
    answer = sending_client.post("/api/send", {"to": RECIPIENT_PHONE, "text": text})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    assert gateway.state.call_counts() == {}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(body: bytes, sending_client: ApiClient) -> None:
    """Invalid input must never cause a 500."""
    answer = sending_client.http.post(f"{sending_client.url}/api/send", data=body, timeout=30)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")


def test_the_guides_own_curl_line_sends(sending_client: ApiClient) -> None:
    """Readers paste this command, and some omit the content type."""
    answer = sending_client.http.post(
        f"{sending_client.url}/api/send",
        data='{"to":"919876543210","text":"Your order has been confirmed!"}',
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        timeout=30,
    )

    assert answer.status_code == 200
    assert answer.json()["data"]["messageId"].startswith("3EB0")


def test_only_the_configured_session_is_sent_from(
    gateway: PretendGateway, sending_client: ApiClient, start_api: ApiStarter
) -> None:
    """A session's own key always sends from that session, so the send would be stored in the wrong chat."""
    other = {"to": RECIPIENT_PHONE, "text": "hello", "session_id": "another"}
    wrong = sending_client.post("/api/send", other)
    named = sending_client.post("/api/send", {**other, "session_id": SESSION_ID})
    unnamed = start_api(SAK_SESSION_ID="", SAK_API_KEY=gateway.account.user_key)

    assert (wrong.status_code, wrong.json()["code"]) == (400, "wrong_session")
    assert named.status_code == 200
    assert unnamed.post("/api/send", {"to": RECIPIENT_PHONE, "text": "hello"}).json()["code"] == "session_missing"
    assert unnamed.post("/api/send", {**other, "session_id": SESSION_ID}).status_code == 200
    assert unnamed.post("/api/send", other).json()["data"]["code"] == "INVALID_SESSION"


def test_a_token_sends_only_from_its_sessions_and_only_with_its_scope(
    gateway: PretendGateway, sending_client: ApiClient, history: HistoryWriter
) -> None:
    """A stolen read-only token of a dashboard must not be able to write to customers."""
    with connections.open(history.database_url, "test") as connection:
        made = {
            "reads": tokens.create(connection, "reads", ["read"]),
            "elsewhere": tokens.create(connection, "elsewhere", ["read", "write"], session_ids=["another"]),
            "writes": tokens.create(connection, "writes", ["read", "write"], session_ids=[SESSION_ID]),
        }

    def ask(name: str, method: str = "POST", path: str = "/api/send") -> tuple[int, str | None]:
        body = {"to": RECIPIENT_PHONE, "text": "hello"} if method == "POST" else None
        answer = sending_client.http.request(
            method,
            sending_client.url + path,
            json=body,
            headers={"Authorization": f"Bearer {made[name]}", "Idempotency-Key": "k"},
            timeout=30,
        )
        return answer.status_code, answer.json().get("code")

    assert [ask(name) for name in made] == [(403, "scope_missing"), (403, "session_forbidden"), (200, None)]
    ((send_id,),) = history.rows("SELECT send_id FROM sends")
    assert ask("elsewhere", "GET", f"/api/sends/{send_id}") == (404, "send_not_found")
    assert ask("elsewhere", "POST", f"/api/sends/{send_id}/reconcile") == (404, "send_not_found")
    assert ask("reads", "GET", f"/api/sends/{send_id}")[0] == 200
    assert ask("reads", "POST", f"/api/sends/{send_id}/reconcile") == (403, "scope_missing")
    # A key belongs to its token. The same key of another token is another request.
    assert sending_client.http.post(
        f"{sending_client.url}/api/send",
        json={"to": RECIPIENT_PHONE, "text": "mine"},
        headers={"Idempotency-Key": "k"},
        timeout=30,
    ).ok
    assert len(gateway.state.delivered_messages()) == 2
