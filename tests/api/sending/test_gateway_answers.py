"""Tests every response of SAK to a send, as the api's client and the database see it."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from api.gateway.timeouts import Timeouts
from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from tests.support.history.history_writer import ApiClient, HistoryWriter
from tests.support.processes.sending_api import FAST_TIMEOUTS, RECIPIENT_PHONE, SESSION_ID, SHORT_TIMEOUTS, ApiStarter


@dataclass(frozen=True)
class Case:
    name: str
    fault: Misbehaviour | None
    http: int
    status: str
    seen: int
    """The number of requests that the gateway received."""
    reached: int
    """The number of messages that were passed on to WhatsApp."""
    code: str | None = None
    deadlines: Timeouts = FAST_TIMEOUTS


def answer(status: int, code: str = "SOME_CODE", *, times: int | None = 1, **headers: str) -> Misbehaviour:
    answer_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Misbehaviour("answer", status=status, code=code, times=times, headers=answer_headers)


CASES = [
    Case("sent", None, 200, "sent", 1, 1),
    Case("queued", Misbehaviour("queued"), 202, "queued", 1, 0),
    Case("failed with 200", Misbehaviour("failed"), 502, "failed", 1, 0, "failed"),
    Case("400", answer(400, "VALIDATION_ERROR"), 502, "failed", 1, 0, "VALIDATION_ERROR"),
    Case("401", answer(401, "NO_API_KEY"), 502, "failed", 1, 0, "NO_API_KEY"),
    Case("403", answer(403, "INVALID_API_KEY"), 502, "failed", 1, 0, "INVALID_API_KEY"),
    Case("404", answer(404, "SESSION_NOT_FOUND"), 502, "failed", 1, 0, "SESSION_NOT_FOUND"),
    Case("408 by a proxy", answer(408), 504, "unknown", 1, 0, "SOME_CODE"),
    Case("500", answer(500, "SEND_MESSAGE_FAILED"), 504, "unknown", 1, 0, "SEND_MESSAGE_FAILED"),
    Case("503", answer(503), 504, "unknown", 1, 0, "SOME_CODE"),
    Case("429 once, then sent", answer(429, Retry_After="0"), 200, "sent", 2, 1),
    Case("429 again and again", answer(429, times=None, Retry_After="0"), 502, "failed", 3, 0, "SOME_CODE"),
    Case("429 for a minute", answer(429, Retry_After="60"), 502, "failed", 1, 0, "SOME_CODE"),
    Case("silence before it was read", Misbehaviour("hang"), 504, "unknown", 1, 0, "no_answer", SHORT_TIMEOUTS),
    Case("silence after it was sent", Misbehaviour("hang_after"), 504, "unknown", 1, 1, "no_answer", SHORT_TIMEOUTS),
    Case("reset before it was read", Misbehaviour("reset"), 504, "unknown", 1, 0, "no_answer"),
    Case("reset after it was sent", Misbehaviour("reset_after"), 504, "unknown", 1, 1, "no_answer"),
    Case("garbage", Misbehaviour("garbage"), 504, "unknown", 1, 1, "no_answer"),
    Case("answer cut short", Misbehaviour("cut"), 504, "unknown", 1, 1, "no_answer"),
    Case("slow drip", Misbehaviour("drip", seconds=0.1), 504, "unknown", 1, 1, "no_answer", SHORT_TIMEOUTS),
    Case("late but sent", Misbehaviour("slow", seconds=0.05), 200, "sent", 1, 1),
    Case(
        "failed because SAK gave up waiting",
        Misbehaviour("slow", seconds=0.2, outcome="failed"),
        504,
        "unknown",
        1,
        0,
        "no_answer",
        replace(FAST_TIMEOUTS, ambiguous_failure=0.1),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_every_response_leads_to_the_correct_state(
    case: Case, gateway: PretendGateway, lend_api: ApiStarter, history: HistoryWriter
) -> None:
    """A wrong state here means a message that is sent twice, or one that was never sent and seems to be."""
    sender = lend_api(case.deadlines)
    if case.fault is not None:
        gateway.misbehave(case.fault)

    answer = sender.post("/api/send", {"to": "98110 00009", "text": "नमस्ते"})
    body = answer.json()
    ((state, code, address),) = history.rows("SELECT state, code, address FROM sends")
    (shown,) = sender.get_data(f"/api/chats/{RECIPIENT_PHONE}")["messages"]

    assert (answer.status_code, body["data"]["status"], body["success"]) == (case.http, case.status, case.http < 300)
    assert (state, code, address) == (case.status, case.code, RECIPIENT_PHONE)
    assert (shown["status"], shown["message_text"], shown["direction"]) == (case.status, "नमस्ते", "outgoing")
    assert shown["send_id"] == body["data"]["send_id"]
    assert gateway.call_count("POST /messages/send") == case.seen
    assert len(gateway.state.delivered_messages()) == case.reached
    if case.http >= 300:
        assert body["error"].endswith(".")
        assert body["code"] == f"send_{case.status}"


def test_a_sent_text_is_in_the_chat_at_once_as_the_message_that_whatsapp_knows(
    gateway: PretendGateway, sending_client: ApiClient, history: HistoryWriter
) -> None:
    """As the guide promises, the response contains SAK's data, and the message is stored."""
    answer = sending_client.post("/api/send", {"to": RECIPIENT_PHONE, "text": "Your order has been confirmed!"})
    (reached,) = gateway.state.delivered_messages()
    (shown,) = sending_client.get_data(f"/api/chats/{RECIPIENT_PHONE}")["messages"]
    (chat,) = sending_client.get_data("/api/chats")["contacts"]

    assert answer.json()["data"]["messageId"] == reached.message_id == shown["message_id"]
    assert (shown["to_number"], shown["from_number"], shown["session_id"]) == (
        RECIPIENT_PHONE,
        "919800000000",
        SESSION_ID,
    )
    assert shown["timestamp"] == answer.json()["data"]["timestamp"]
    assert (chat["last_message"]["preview"], chat["waiting_since"]) == ("Your order has been confirmed!", None)
    assert history.rows("SELECT count(*) FROM whatsapp_messages") == [(1,)]


def test_a_send_is_recorded_before_the_call_to_the_gateway(
    gateway: PretendGateway, sending_client: ApiClient, history: HistoryWriter
) -> None:
    """Whatever happens during the request, the record shows that it was made."""
    seen: list[tuple[Any, ...]] = []
    gateway.state.listeners.append(lambda _: seen.extend(history.rows("SELECT state, text FROM sends")))

    sending_client.post("/api/send", {"to": RECIPIENT_PHONE, "text": "hello"})

    assert seen == [("accepted", "hello")]


def test_a_send_to_an_unreachable_gateway_is_certainly_not_sent(start_api: ApiStarter) -> None:
    """The state shows the caller that a retry is safe."""
    answer = start_api(SAK_BASE_URL="http://127.0.0.1:9/api/v1").post(
        "/api/send", {"to": RECIPIENT_PHONE, "text": "hello"}
    )

    assert answer.status_code == 502
    assert (answer.json()["data"]["status"], answer.json()["data"]["code"]) == ("failed", "unreachable")


@pytest.mark.parametrize(("missing", "named"), [("SAK_BASE_URL", "SAK_BASE_URL"), ("SAK_API_KEY", "SAK_API_KEY")])
def test_without_a_gateway_the_response_names_the_missing_variables(
    start_api: ApiStarter, missing: str, named: str
) -> None:
    """Reading works without SAK. The response to a send names the missing variables."""
    sender = start_api(**{missing: ""})
    answer = sender.post("/api/send", {"to": RECIPIENT_PHONE, "text": "hello"})

    assert (answer.status_code, answer.json()["code"]) == (503, "sak_not_configured")
    assert named in answer.json()["error"]
    assert sender.get("/readyz").status_code == 200


def test_an_impossible_message_id_is_not_stored(
    sending_client: ApiClient, history: HistoryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message was sent. An unusable number in the response must not lose it."""
    monkeypatch.setattr("dev.gateway.state._new_message_id", lambda: "3EB0\0")
    answer = sending_client.post("/api/send", {"to": RECIPIENT_PHONE, "text": "hello"})

    assert (answer.status_code, answer.json()["data"]["messageId"]) == (200, None)
    assert history.rows("SELECT state, message_id FROM sends") == [("sent", None)]


@pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "17"}, "17"), ({}, "60")])
def test_a_rate_limit_has_the_time_of_the_next_attempt(
    gateway: PretendGateway, lend_api: ApiStarter, headers: dict[str, str], seconds: str
) -> None:
    """Programs wait for the time in the header and do not parse the message."""
    sender = lend_api(replace(FAST_TIMEOUTS, max_attempts=1))
    gateway.misbehave(Misbehaviour("answer", status=429, code="RATE_LIMIT", headers=headers))
    response = sender.post("/api/send", {"to": RECIPIENT_PHONE, "text": "hello"})

    assert (response.status_code, response.headers.get("retry-after")) == (502, seconds)
    assert response.json()["data"]["code"] == "RATE_LIMIT"


@pytest.mark.parametrize("kind", ["image", "document", "video"])
def test_failed_files_of_every_kind_have_the_same_response(
    gateway: PretendGateway, sending_client: ApiClient, kind: str
) -> None:
    """SAK returns 500 for images and videos and 200 for documents. Clients do not need to know this."""
    contents = {
        "image": b"\x89PNG\r\n\x1a\n" + bytes(8),
        "document": b"%PDF-1.7",
        "video": b"\x00\x00\x00\x18ftypmp42" + bytes(8),
    }
    gateway.misbehave(Misbehaviour("failed"))
    response = sending_client.http.post(
        f"{sending_client.url}/api/send", data={"to": RECIPIENT_PHONE}, files={kind: ("a", contents[kind])}, timeout=30
    )
    data = response.json()["data"]

    assert (response.status_code, data["status"], data["code"]) == (502, "failed", "failed")
    assert data["reason"].startswith("SAK could not send it")
