"""Tests the responses to senders with and without the secret."""

import json
from pathlib import Path

import pytest

from dev.checkout import ROOT
from tests.support.processes.ingest_process import (
    WEBHOOK_SECRET,
    IngestProcess,
    encode_request,
    sign,
    stream_batches,
    stream_bodies,
)

CAPTURED = ROOT / "tests" / "payloads" / "sak-wire.jsonl"
CAPTURED_SECRET = "5a4b0c0ffee00000000000000000000000000000000000000000000000000001"


def test_captured_webhooks_are_stored_byte_for_byte(redis_url: str, tmp_path: Path) -> None:
    """SAK's signature covers the raw bytes. If they were changed, they could not be verified or replayed again."""
    captured = [json.loads(line) for line in CAPTURED.read_text().splitlines()]
    with IngestProcess(redis_url, tmp_path, WEBHOOK_SECRETS=CAPTURED_SECRET) as ingest:
        answers = [ingest.post_webhook(webhook["body"].encode(), webhook["headers"]) for webhook in captured * 2]

    assert len(captured) == 18
    assert [answer.status for answer in answers] == [200] * 36
    assert stream_bodies(redis_url) == [webhook["body"].encode() for webhook in captured * 2]


def test_an_acknowledgement_names_the_batch_and_the_path(ingest: IngestProcess, redis_url: str) -> None:
    """A sender that logs the batch can help to find a message."""
    answer = ingest.post_webhook(b"{}")
    (batch,) = (batch for batch in stream_batches(redis_url) if batch.bodies)

    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {
        "success": True,
        "accepted": True,
        "batch": f"{batch.writer}:{batch.number}",
        "path": "stream",
        "index": 0,
    }


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="a scalar"),
        pytest.param(b"{", id="broken JSON"),
        pytest.param('{"event":"x"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark"),
        pytest.param(b"\x00\xff\xfe\x80", id="bytes"),
        pytest.param(b'{"a":"\\u0000\\ud800"}', id="what PostgreSQL cannot hold"),
        pytest.param(b"[" * 100_000, id="nesting"),
        pytest.param(b"x" * (1 << 20), id="exactly the limit"),
    ],
)
def test_a_signed_body_is_accepted_whatever_its_content(ingest: IngestProcess, redis_url: str, body: bytes) -> None:
    """SAK sends once, so a 4xx because of the content would lose an event that a later parser may understand."""
    assert ingest.post_webhook(body).status == 200
    assert stream_bodies(redis_url) == [body]


def test_a_chunked_body_is_one_body(ingest: IngestProcess, redis_url: str) -> None:
    """A proxy may convert between the two. The signature covers the body that was sent."""
    head = encode_request(b"", f"X-Webhook-Signature: {sign(b'hello')}", "Transfer-Encoding: chunked")
    answer = ingest.send_raw(head, b"3\r\nhel\r\n", b"2\r\nlo\r\n0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert stream_bodies(redis_url) == [b"hello"]


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param([], id="missing"),
        pytest.param([""], id="empty"),
        pytest.param(["sha256="], id="without digits"),
        pytest.param([sign(b"hello")[:-1]], id="truncated"),
        pytest.param([sign(b"hello") + "0"], id="too long"),
        pytest.param([sign(b"hello")[7:]], id="without its method"),
        pytest.param(["sha1=" + sign(b"hello")[7:]], id="another method"),
        pytest.param(["sha256=" + "z" * 64], id="not hexadecimal"),
        pytest.param(["sha256=" + "\xe9" * 64], id="not ASCII"),
        pytest.param([sign(b"hellO")], id="of another body"),
        pytest.param([sign(b"hello", "another secret")], id="with another secret"),
        pytest.param([sign(b"hello"), sign(b"hello")], id="twice"),
        pytest.param([sign(b"hello"), "sha256=0"], id="once right and once wrong"),
    ],
)
def test_without_a_valid_signature_nothing_is_stored(
    ingest: IngestProcess, redis_url: str, signature: list[str]
) -> None:
    """Otherwise, anybody could write into conversations. No header may cause a 500."""
    headers = [f"X-Webhook-Signature: {value}" for value in signature]
    answer = ingest.send_raw(encode_request(b"hello", *headers, "Content-Length: 5"))

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "bad_signature"
    assert stream_bodies(redis_url) == []


def test_a_signature_may_be_in_capitals(ingest: IngestProcess) -> None:
    """Hexadecimal numbers are not case-sensitive, and senders differ."""
    assert ingest.post_webhook(b"hello", {"X-Webhook-Signature": "sha256=" + sign(b"hello")[7:].upper()}).status == 200


def test_any_of_the_secrets_signs_while_they_are_rotated(redis_url: str, tmp_path: Path) -> None:
    """SAK uses a new secret immediately, while events signed with the old one are still in transit."""
    with IngestProcess(redis_url, tmp_path, WEBHOOK_SECRETS=f"old, {WEBHOOK_SECRET}") as ingest:
        statuses = [
            ingest.post_webhook(b"x", {"X-Webhook-Signature": sign(b"x", key)}).status
            for key in ("old", WEBHOOK_SECRET, "gone")
        ]

    assert statuses == [200, 200, 401]


def test_a_trial_accepts_unsigned_webhooks_and_logs_a_warning(redis_url: str, tmp_path: Path) -> None:
    """The first curl should work, and an operator must notice that signatures are not checked."""
    with IngestProcess(redis_url, tmp_path, WEBHOOK_SECRETS="", WEBHOOK_ALLOW_UNSIGNED="1") as ingest:
        assert ingest.post_webhook(b"x", {}).status == 200
        assert ingest.post_webhook(b"y", {"X-Webhook-Signature": "nonsense"}).status == 200
        assert ingest.get("/readyz").json["signatures"] is False
        assert "WEBHOOK_ALLOW_UNSIGNED" in ingest.log


def test_logs_hold_no_secret_no_header_and_no_text(redis_url: str, tmp_path: Path) -> None:
    """Logs are copied to places where no messages should be."""
    with IngestProcess(redis_url, tmp_path) as ingest:
        ingest.post_webhook(b'{"text":"kept-private"}')
        ingest.post_webhook(b'{"text":"kept-private"}', {"X-Webhook-Signature": "header-private"})
        ingest.send_raw(b"BREW kept-private HTTP/9\r\nheader-private: x\r\n\r\n")
        ingest.stop()

        assert WEBHOOK_SECRET not in ingest.log
        assert "private" not in ingest.log
