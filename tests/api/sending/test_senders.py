"""Sends through gateways of `senders.toml`, each by its own interface, with the same states as SAK's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.gateway import senders as pretend_senders
from dev.gateway.senders import BARE_ID, KEY, OWN_NUMBER, WAMID, PretendSenders
from tests.support.history_writer import ApiClient
from tests.support.sending_api import SESSION_ID, SHORT_TIMEOUTS, ApiStarter

WORDS = {
    "waha": "default",
    "openwa": "185ad6dc-6ba1-47a4-ab8f-309d8842f125",
    "evolution": "shop one",
    "wuzapi": "till",
    "gowa": OWN_NUMBER,
    "meta": "105000000000072",
}
"""Each gateway's own word for its session."""
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
    """Of what is sent through Meta, GOWA and wuzapi no event comes: the answer is all there is."""
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
    """No gateway of these knows an idempotency key: ours is all there is."""
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
"""The session, the gateway's answer, and of ours the HTTP status, the status, the code and some words."""


def test_a_refusal_is_failed_and_an_unclear_answer_unknown(client: ApiClient, senders: PretendSenders) -> None:
    """What was certainly not sent may be sent again; anything else never by itself."""
    told: list[tuple[object, ...]] = []
    for session_id, answer, *_, words in REFUSALS:
        senders.answer = answer

        http, body = send(client, session_id)

        data: dict[str, Any] = body.get("data") or {}
        has_words = words in body["error"]
        told.append((session_id, http, data.get("status"), data.get("code") or body["code"], has_words or body))
    assert told == [(session_id, http, status, code, True) for session_id, _, http, status, code, _ in REFUSALS]
