"""Tests the pretend gateway against the description of the real one, because other tests rely on it."""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import pytest
import requests

from dev.checkout import ROOT
from dev.gateway import delivery
from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from tests.support.servers.webhook_receiver import WebhookReceiver, running_webhook_receiver

WIRE = ROOT / "tests" / "payloads" / "sak-wire.jsonl"
TIMEOUT = 10


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with running_webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
def gateway() -> Iterator[PretendGateway]:
    with PretendGateway() as running:
        yield running


class Caller:
    """A client that calls the gateway as its owner."""

    def __init__(self, gateway: PretendGateway) -> None:
        account = gateway.account
        self.gateway = gateway
        self.token = {"Authorization": f"Bearer {account.jwt}"}
        self.key = {"x-api-key": account.api_key}
        self.registration = {"sessionId": account.session_id, "events": ["message.received"]}

    def __call__(self, method: str, path: str, headers: dict[str, str], **options: Any) -> requests.Response:  # noqa: ANN401 -- requests' own options
        return requests.request(method, self.gateway.base_url + path, headers=headers, timeout=TIMEOUT, **options)

    def register(self, url: str) -> dict[str, Any]:
        return self("POST", "/webhooks", self.token, json=self.registration | {"url": url}).json()["data"]

    def send(self, to: str = "919811000009", text: str = "hello") -> requests.Response:
        return self("POST", "/messages/send", self.key, json={"to": to, "text": text})

    def switch(self, **to: object) -> None:
        requests.post(f"{self.gateway.root_url}/_pretend/switch", json=to, timeout=TIMEOUT).raise_for_status()


@pytest.fixture
def call(gateway: PretendGateway) -> Caller:
    return Caller(gateway)


def test_registering_gives_a_secret_once_and_the_same_one_again(call: Caller) -> None:
    """The response is 201 with 64 hexadecimal digits, then 200 with the same secret. The list contains no secrets."""
    answers = [
        call("POST", "/webhooks", call.token, json=call.registration | {"url": "http://127.0.0.1:9/"}) for _ in range(2)
    ]
    first, second = (answer.json()["data"] for answer in answers)
    listed = call("GET", "/webhooks", call.token).json()["data"]["webhooks"]

    assert [answer.status_code for answer in answers] == [201, 200]
    assert re.fullmatch("[0-9a-f]{64}", first["secret"])
    assert first == second
    assert [webhook["id"] for webhook in listed] == [first["webhookId"]]
    assert "secret" not in listed[0]


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"events": []}, 400, "VALIDATION_ERROR"),
        ({"url": ""}, 400, "VALIDATION_ERROR"),
        ({"sessionId": "another"}, 404, "SESSION_NOT_FOUND"),
    ],
)
def test_a_bad_registration_is_refused_as_sak_refuses_it(
    changed: dict[str, object], status: int, code: str, call: Caller
) -> None:
    """Every error has the format `{success: false, error: {code, message}}`."""
    body = call.registration | {"url": "http://127.0.0.1:9/"} | changed
    answer = call("POST", "/webhooks", call.token, json=body)

    assert answer.status_code == status
    assert answer.json()["success"] is False
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/webhooks", {}, 401, "NO_TOKEN"),
        ("/webhooks", {"Authorization": "Bearer other"}, 401, "AUTH_FAILED"),
        ("/messages/history", {}, 401, "NO_API_KEY"),
        ("/messages/history", {"x-api-key": "other"}, 403, "INVALID_API_KEY"),
        ("/messages/history", {"x-api-key": "pretend-key-of-the-owner"}, 400, "SESSION_ID_REQUIRED"),
        ("/nowhere", {}, 404, "NOT_FOUND"),
    ],
)
def test_a_stranger_is_refused_as_sak_refuses_him(
    path: str, headers: dict[str, str], status: int, code: str, call: Caller
) -> None:
    """A client that forgets a header must fail here, too."""
    answer = call("GET", path, headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_headers_and_signatures_are_those_of_the_captured_webhooks() -> None:
    """The requests are equal, byte for byte, to those captured from the real gateway."""
    captured = [json.loads(line) for line in WIRE.read_text(encoding="utf-8").splitlines()]

    assert len(captured) == 18
    for one in captured:
        body = one["body"].encode()
        assert delivery.encode(json.loads(body)) == body
        secret = one["headers"]["X-Webhook-Secret"]
        assert delivery.signed_headers(body, secret, one["headers"]["X-Webhook-Event"]) == one["headers"]


def test_a_ping_is_really_posted_and_its_answer_told(call: Caller, receiver: WebhookReceiver) -> None:
    """`python -m api sak test` uses it to check the whole path."""
    registered = call.register(receiver.url)
    data = call("POST", "/webhooks/test", call.key, json={"message": "are you there?"}).json()["data"]
    headers, body = receiver.events.get(timeout=TIMEOUT)
    ping = json.loads(body)
    signature = hmac.new(registered["secret"].encode(), body, hashlib.sha256).hexdigest()

    assert data["results"][0] | {"ok": True, "status": 200, "responsePreview": "ok"} == data["results"][0]
    assert headers["X-Webhook-Signature"] == f"sha256={signature}"
    assert set(ping) == {"event", "sessionId", "timestamp", "test", "text"}
    assert (ping["test"], ping["text"]) == (True, "are you there?")


def test_sending_says_success_of_all_that_was_not_refused(call: Caller) -> None:
    """Clients must handle that `failed` is a 200 with `success: true` and no id."""
    sent, failed = call.send().json(), call.send(to="12").json()
    call.switch(connected=False)
    queued = call.send().json()

    assert [answer["success"] for answer in (sent, failed, queued)] == [True] * 3
    assert [answer["data"]["status"] for answer in (sent, failed, queued)] == ["sent", "failed", "queued"]
    assert sent["data"]["messageId"].startswith("3EB0")
    assert "messageId" not in failed["data"]
    assert re.fullmatch("[0-9a-f-]{36}", queued["data"]["messageId"])


def test_history_never_hears_what_became_of_a_queued_message(call: Caller) -> None:
    """Therefore the two may be paired automatically only if exactly one matches."""
    call.switch(connected=False)
    queued = call.send().json()["data"]["messageId"]
    flushed = requests.post(f"{call.gateway.root_url}/_pretend/flush", timeout=TIMEOUT).json()["data"]
    (row,) = call("GET", "/messages/history?limit=5", call.key).json()["data"]["messages"]

    assert (row["message_id"], row["status"]) == (queued, "queued")
    assert flushed[0]["message_id"] != queued
    assert set(row) == {"message_id", "to_number", "message_type", "status", "created_at"}


def test_nothing_is_reported_of_what_was_sent_unless_it_is_switched_on(call: Caller, receiver: WebhookReceiver) -> None:
    """The real gateway does not report sent messages. If it does one day, it may use the guide's format."""
    call.registration["events"] = ["message.sent", "status.change"]
    call.register(receiver.url)
    call.send(text="unreported")
    with pytest.raises(Empty):
        receiver.events.get(timeout=0.2)
    call.switch(reports=True)
    message_id = call.send(text="reported").json()["data"]["messageId"]
    reports = [json.loads(receiver.events.get(timeout=TIMEOUT)[1]) for _ in range(3)]

    assert [report["event"] for report in reports] == ["message.sent", "status.change", "status.change"]
    assert reports[0]["data"]["message"]["id"] == message_id
    assert [report["data"]["status"] for report in reports] == ["sent", "delivered", "read"]


def test_the_rate_limit_counts_everything_and_says_when_it_ends(call: Caller) -> None:
    """A poller that sends too many requests must fail in a test, not in production."""
    call.switch(per_minute=2)
    answers = [call("GET", "/webhooks", call.token) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[2].json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert 0 < int(answers[2].headers["Retry-After"]) <= 60


def test_misbehaviour_is_told_over_http_and_used_up(call: Caller) -> None:
    """Tests of the whole system configure it from another process."""
    control = f"{call.gateway.root_url}/_pretend/behaviour"
    wish = {"kind": "answer", "call": "POST /messages/send", "status": 503, "times": 2}
    assert requests.post(control, json=wish, timeout=TIMEOUT).ok
    assert requests.post(control, json={"kind": "nonsense"}, timeout=TIMEOUT).status_code == 400
    statuses = [call.send().status_code for _ in range(3)]
    seen = requests.get(f"{call.gateway.root_url}/_pretend/seen", timeout=TIMEOUT).json()["data"]

    assert statuses == [503, 503, 200]
    assert seen["seen"] == {"POST /messages/send": 3}
    assert len(seen["reached"]) == 1


def test_it_stops_although_calls_hang(gateway: PretendGateway) -> None:
    """A test that made it hang must still end."""
    gateway.misbehave(Misbehaviour("hang"))
    ended: SimpleQueue[Exception] = SimpleQueue()

    def hang() -> None:
        try:
            requests.get(f"{gateway.base_url}/webhooks", timeout=60)
        except requests.ConnectionError as error:
            ended.put(error)

    caller = Thread(target=hang)
    caller.start()
    while not gateway.call_count("GET /webhooks"):
        time.sleep(0.01)
    gateway.stop()
    caller.join()

    assert ended.get(timeout=TIMEOUT)
