"""Tests sends through gateways of `senders.toml`, each by its own interface, with the same states as SAK's."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.gateway.senders import senders as pretend_senders
from dev.gateway.senders.senders import BARE_ID, KEY, OWN_NUMBER, WAMID, PretendSenders
from store.model.facts import Ack, Message
from tests.support.history.history_writer import ApiClient, HistoryWriter
from tests.support.processes.sending_api import SESSION_ID, SHORT_TIMEOUTS, ApiStarter
from tests.support.waiting import wait_until
from worker.senders import dispatch

WORDS = {
    "waha": "default",
    "openwa": "185ad6dc-6ba1-47a4-ab8f-309d8842f125",
    "evolution": "shop one",
    "wuzapi": "till",
    "gowa": OWN_NUMBER,
    "meta": "105000000000072",
}
"""Each gateway's own name for its session."""
PNG = b"\x89PNG\r\n\x1a\nmade up"


@pytest.fixture
def senders() -> Iterator[PretendSenders]:
    with pretend_senders.running() as running:
        yield running


@pytest.fixture
def client(senders: PretendSenders, tmp_path: Path, start_api: ApiStarter) -> ApiClient:
    file = tmp_path / "senders.toml"
    file.write_text(
        "".join(
            f'[{kind}-one]\nkind = "{kind}"\nsecrets = ["made-up-{kind}"]\n'
            f'base_url = "{senders.url}/{kind}"\napi_key = "{KEY}"\n'
            for kind in WORDS
        )
        + '[closed]\nkind = "waha"\nsecrets = ["made-up"]\nbase_url = "http://127.0.0.1:9"\napi_key = "k"\n'
        + '[keyless]\nkind = "waha"\nsecrets = ["made-up"]\n',
        encoding="utf-8",
    )
    return start_api(SHORT_TIMEOUTS, SENDERS_FILE=str(file), SAK_BASE_URL="", SAK_API_KEY="")


def send(client: ApiClient, session_id: str, to: str = "919811000011", **fields: Any) -> tuple[int, dict[str, Any]]:  # noqa: ANN401 - JSON
    response = client.http.post(
        f"{client.url}/api/send", json={"to": to, "session_id": session_id, "text": "Ready", **fields}, timeout=30
    )
    return response.status_code, response.json()


def test_each_kind_takes_texts_and_files_and_its_answer_makes_the_message(
    client: ApiClient, senders: PretendSenders
) -> None:
    """Meta, GOWA and wuzapi send no event about sent messages, so the response is the only source."""
    for number, (kind, word) in enumerate(WORDS.items()):
        session_id, to = f"{kind}-one:{word}", f"91981100002{number}"
        message_id = WAMID if kind == "meta" else BARE_ID

        status, body = send(client, session_id, to)
        uploaded = client.http.post(
            f"{client.url}/api/send",
            data={"to": to, "caption": "Look", "session_id": session_id},
            files={"image": ("a.png", PNG)},
            timeout=30,
        ).json()

        assert (status, body["data"]["messageId"], body["data"]["status"]) == (200, message_id, "sent")
        assert (uploaded["data"]["messageId"], uploaded["data"]["message_type"]) == (message_id, "image")
        messages = client.get_data(f"/api/chats/{to}")["messages"]
        assert [(each["message_id"], each["message_text"], each["session_id"]) for each in messages] == [
            (message_id, "Ready", session_id)
        ]
    assert [request.path.partition("-one")[0].split("/")[1] for request in senders.sends()] == [
        kind for kind in WORDS for _ in range(2)
    ]


def test_a_repeated_key_sends_once(client: ApiClient, senders: PretendSenders) -> None:
    """None of these gateways supports idempotency keys, so only ours prevent duplicates."""
    for _ in range(2):
        response = client.http.post(
            f"{client.url}/api/send",
            json={"to": "919811000011", "session_id": "gowa-one:919880000001", "text": "Once"},
            headers={"Idempotency-Key": "order-17"},
            timeout=30,
        )
        assert (response.status_code, response.json()["data"]["messageId"]) == (200, BARE_ID)

    assert len(senders.sends()) == 1


WINDOW = {"error": {"message": "(#131047) Re-engagement message", "code": 131047, "error_data": {"details": "x"}}}


REFUSALS: list[tuple[str, tuple[int, dict[str, Any]] | None, int, str | None, str, str]] = [
    ("meta-one:105", (400, WINDOW), 502, "failed", "131047", "more than 24 hours have passed"),
    ("meta-one:105", (400, {"error": {"code": 190, "message": "x"}}), 502, "failed", "190", "access token"),
    ("meta-one:105", (400, {"error": {"code": 130429, "message": "x"}}), 502, "failed", "130429", "the rate"),
    ("meta-one:105", (500, {"error": {"code": 131000, "message": "Broken"}}), 504, "unknown", "131000", "Broken"),
    ("waha-one:default", (422, {"message": "Session is not WORKING"}), 502, "failed", "refused", "not WORKING"),
    ("waha-one:default", (500, {"message": f"oops {KEY}"}), 504, "unknown", "no_answer", "oops [hidden]"),
    ("evolution-one:x", (400, {"response": {"message": [{"exists": False}]}}), 502, "failed", "refused", "exists"),
    ("wuzapi-one:x", (200, {"success": False, "error": "no session"}), 504, "unknown", "no_answer", "no session"),
    ("gowa-one:919999999999", None, 502, "failed", "unknown_device", "+919999999999"),
    ("closed:x", None, 502, "failed", "unreachable", "WAHA could not be reached"),
    ("keyless:x", None, 502, "failed", "not_configured", "base_url of [keyless]"),
    (SESSION_ID, None, 503, None, "sak_not_configured", "SAK_BASE_URL"),
]
"""The session, the gateway's response, and of our response the HTTP status, the status, the code and some words."""


def test_a_refusal_is_failed_and_an_unclear_answer_unknown(client: ApiClient, senders: PretendSenders) -> None:
    """A message that was certainly not sent may be sent again. Any other is never repeated automatically."""
    told: list[tuple[object, ...]] = []
    for session_id, answer, *_, words in REFUSALS:
        senders.answer = answer

        http, body = send(client, session_id)

        data: dict[str, Any] = body.get("data") or {}
        has_words = words in body["error"]
        told.append((session_id, http, data.get("status"), data.get("code") or body["code"], has_words or body))
    assert told == [(session_id, http, status, code, True) for session_id, _, http, status, code, _ in REFUSALS]


def test_a_gateway_that_is_added_while_the_api_runs_sends_without_a_restart(
    senders: PretendSenders, tmp_path: Path, start_api: ApiStarter
) -> None:
    """An error in the file changes nothing."""
    file = tmp_path / "senders.toml"
    client = start_api(SHORT_TIMEOUTS, SENDERS_FILE=str(file), SAK_BASE_URL="", SAK_API_KEY="")
    section = f'[late]\nkind = "waha"\nsecrets = ["made-up"]\nbase_url = "{senders.url}/waha"\napi_key = "{KEY}"\n'

    assert send(client, "late:default")[0] == 503
    file.write_text(section, encoding="utf-8")
    wait_until(lambda: send(client, "late:default")[0] == 200)
    file.write_text(f"{section}[odd]\nkind = 7\n", encoding="utf-8")
    assert send(client, "late:default")[0] == 200


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("more than 24 hours have passed (Meta's code 131047)", "more than 24 hours have passed (Meta's code 131047)"),
        (None, "the gateway reported that it failed, and not why"),
    ],
)
def test_a_failure_that_is_reported_later_is_that_of_the_send_and_of_the_message(
    client: ApiClient, history: HistoryWriter, reason: str | None, words: str
) -> None:
    """Meta accepts a message and reports later that it could not be delivered."""
    session_id, to = "meta-one:105000000000072", "919811000011"
    _, body = send(client, session_id)
    history.store(Ack(WAMID, "failed", to, None, reason), session=session_id)

    sent = client.get_data(f"/api/sends/{body['data']['send_id']}")
    [message] = client.get_data(f"/api/chats/{to}")["messages"]

    assert (sent["status"], sent["code"], sent["reason"]) == ("failed", "not_delivered", words)
    assert (message["status"], message["reason"]) == ("failed", reason)

    history.store(Ack(WAMID, "delivered", to, None), session=session_id)
    assert client.get_data(f"/api/sends/{body['data']['send_id']}")["status"] == "sent"


def echo(send_text: str = "Ready", message_id: str = "3EB0ECH0", to: str = "919811000011") -> Message:
    """Return the event that a gateway sends about a message that it sent."""
    now = time.time_ns() // 1_000_000
    return Message(to, "outgoing", message_id, now, "text", "conversation", "complete", text=send_text)


def unknown_send(client: ApiClient, senders: PretendSenders, session_id: str = "waha-one:default") -> str:
    """Return the id of a send without a response."""
    senders.loses_answers = True
    status, body = send(client, session_id)
    senders.loses_answers = False
    assert status == 504
    return body["data"]["send_id"]


@pytest.mark.long
def test_an_event_about_a_send_without_an_answer_settles_it(
    client: ApiClient, senders: PretendSenders, history: HistoryWriter
) -> None:
    """An event that may belong to another send does not."""
    send_id = unknown_send(client, senders)
    history.store(echo("Another text", "3EB0A"), echo(), session="waha-one:default")

    wait_until(lambda: client.get_data(f"/api/sends/{send_id}")["status"] == "sent")

    assert client.get_data(f"/api/sends/{send_id}")["messageId"] == "3EB0ECH0"
    twins = [unknown_send(client, senders) for _ in range(2)]
    history.store(echo(message_id="3EB0TW1N"), session="waha-one:default")
    for twin in twins:
        data = client.post(f"/api/sends/{twin}/reconcile").json()["data"]
        assert (data["settled"], data["explanation"]) == (
            False,
            "Its message cannot be distinguished from those of 1 other sends with the same text.",
        )


@pytest.mark.long
def test_a_status_of_meta_names_the_send_that_it_belongs_to(
    client: ApiClient, senders: PretendSenders, history: HistoryWriter
) -> None:
    """Meta's statuses contain no text, but they repeat an identifier from the request."""
    session_id, to = "meta-one:105000000000072", "919811000011"
    send_id, twin = (unknown_send(client, senders, session_id) for _ in range(2))
    [reference, _] = [request.fields["biz_opaque_callback_data"] for request in senders.sends()]
    status = {"id": WAMID, "status": "delivered", "recipient_id": to, "biz_opaque_callback_data": reference}
    value = {"metadata": {"phone_number_id": "105000000000072"}, "statuses": [status]}
    body = {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": value}]}]}
    history.store(*dispatch.parse("meta:meta-one", json.dumps(body).encode()).outcome.facts, session=session_id)

    wait_until(lambda: client.get_data(f"/api/sends/{send_id}")["status"] == "sent")

    assert client.get_data(f"/api/sends/{send_id}")["messageId"] == WAMID
    assert client.get_data(f"/api/sends/{twin}")["status"] == "unknown"


@pytest.mark.parametrize(
    ("kind", "settled", "words"),
    [
        *((kind, True, "Its message was found: sent.") for kind in ("waha", "openwa", "evolution", "gowa")),
        *((kind, False, "keeps no list of what it sends: only the chat on a phone") for kind in ("meta", "wuzapi")),
    ],
)
def test_the_list_of_a_gateway_settles_a_send_if_there_is_one(
    client: ApiClient, senders: PretendSenders, kind: str, *, settled: bool, words: str
) -> None:
    """A gateway that sends no events about sent messages may still list them."""
    send_id = unknown_send(client, senders, f"{kind}-one:{WORDS[kind]}")
    without = client.post(f"/api/sends/{send_id}/reconcile").json()["data"]
    senders.listed = ["Ready", "Something else"]

    data = client.post(f"/api/sends/{send_id}/reconcile").json()["data"]

    assert not without["settled"]
    assert (data["settled"], data["status"]) == (settled, "sent" if settled else "unknown")
    assert words in data["explanation"]
