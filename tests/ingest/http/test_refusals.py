"""Tests every request that is not acknowledged."""

import json
from dataclasses import dataclass

import pytest
import redis

from ingest.queue import contract
from tests.support.processes.ingest_process import (
    WEBHOOK_PATH,
    IngestProcess,
    encode_request,
    read_response,
    sign,
    stream_bodies,
)
from tests.support.waiting import wait_until

SIGNED = f"X-Webhook-Signature: {sign(b'hello')}"
CHUNK = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"


@dataclass(frozen=True)
class Refused:
    name: str
    request: bytes
    status: int
    code: str


TABLE = [
    Refused("another path", encode_request(path="/"), 404, "not_found"),
    Refused("a path with escapes", encode_request(path="/%ff%00"), 404, "not_found"),
    Refused("GET", encode_request(method="GET"), 405, "method_not_allowed"),
    Refused("PUT", encode_request(b"hello", SIGNED, "Content-Length: 5", method="PUT"), 405, "method_not_allowed"),
    Refused("POST to a page", encode_request(path="/healthz"), 405, "method_not_allowed"),
    Refused(
        "a length over the limit", encode_request(b"hello", SIGNED, "Content-Length: 1048577"), 413, "body_too_large"
    ),
    Refused(
        "chunks over the limit",
        encode_request(CHUNK * 33 + b"0\r\n\r\n", SIGNED, "Transfer-Encoding: chunked"),
        413,
        "body_too_large",
    ),
    Refused(
        "gzip", encode_request(b"hello", SIGNED, "Content-Length: 5", "Content-Encoding: gzip"), 415, "content_encoding"
    ),
    Refused(
        "a compressed transfer",
        encode_request(b"0\r\n\r\n", SIGNED, "Transfer-Encoding: gzip, chunked"),
        415,
        "content_encoding",
    ),
    Refused(
        "a length and chunks",
        encode_request(b"0\r\n\r\n", SIGNED, "Content-Length: 5", "Transfer-Encoding: chunked"),
        400,
        "bad_request",
    ),
    Refused(
        "chunks and a length",
        encode_request(b"0\r\n\r\n", SIGNED, "Transfer-Encoding: chunked", "Content-Length: 5"),
        400,
        "bad_request",
    ),
    Refused(
        "two lengths", encode_request(b"hello", SIGNED, "Content-Length: 5", "Content-Length: 6"), 400, "bad_request"
    ),
    Refused("a negative length", encode_request(b"hello", SIGNED, "Content-Length: -5"), 400, "bad_request"),
    Refused("an endless length", encode_request(b"hello", SIGNED, "Content-Length: " + "9" * 30), 400, "bad_request"),
    Refused("a broken chunk", encode_request(b"zz\r\n", SIGNED, "Transfer-Encoding: chunked"), 400, "bad_request"),
    Refused("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "bad_request"),
    Refused("an unknown method", encode_request(method="BREW"), 400, "bad_request"),
    Refused("CONNECT", b"CONNECT ingest:80 HTTP/1.1\r\nHost: ingest\r\n\r\n", 400, "bad_request"),
    Refused("a path that is not ASCII", encode_request(path="/\xe9"), 400, "bad_request"),
    Refused(
        "headers without end",
        encode_request(b"", *[f"X-{i}: {'x' * 1000}" for i in range(80)])[:-2],
        431,
        "headers_too_large",
    ),
]


@pytest.mark.parametrize("refused", [pytest.param(row, id=row.name) for row in TABLE])
def test_a_refusal_has_its_status_and_code_and_stores_nothing(
    ingest: IngestProcess, redis_url: str, refused: Refused
) -> None:
    """The log of the sender contains only our response, and a 500 would be a lost event."""
    with ingest.connect() as connection:
        connection.sendall(refused.request)
        head, _, body = read_response(connection).partition(b"\r\n\r\n")

    assert head.split(b" ")[1] == str(refused.status).encode()
    assert json.loads(body) == {"success": False, "error": json.loads(body)["error"], "code": refused.code}
    assert json.loads(body)["error"].endswith(".")
    assert stream_bodies(redis_url) == []


def test_head_and_options_are_answered_without_a_body(ingest: IngestProcess) -> None:
    """Uptime checks send such requests, and a body after HEAD would be read as the next response."""
    head = ingest.send_raw(encode_request(method="HEAD"))
    options = ingest.send_raw(encode_request(method="OPTIONS"))

    assert head.startswith(b"HTTP/1.1 405 ")
    assert head.endswith(b"\r\n\r\n")
    assert options.startswith(b"HTTP/1.1 204 ")
    assert b"allow: POST, OPTIONS\r\n" in options


def test_a_trailing_slash_still_reaches_the_webhook(ingest: IngestProcess) -> None:
    """A sender that does not follow redirects would lose the event."""
    answer = ingest.request("POST", "/whatsapp-webhook/", b"hello", {"X-Webhook-Signature": sign(b"hello")})

    assert answer.status == 200


def test_a_body_over_the_limit_is_not_held_in_memory(ingest: IngestProcess) -> None:
    """Otherwise, a hundred large bodies would exhaust the memory of the process, and all senders would be affected."""
    before = _resident(ingest)
    head = encode_request(b"", SIGNED, "Transfer-Encoding: chunked")
    with ingest.connect() as connection:
        connection.sendall(head)
        for _ in range(2000):  # 64 MiB
            connection.sendall(CHUNK)
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert _resident(ingest) - before < 5 << 20


def test_signed_bodies_over_the_limit_are_answered_to_the_end_and_counted_as_lost(
    ingest: IngestProcess, redis_url: str
) -> None:
    """A body may be a picture in base64.

    If the connection closed too early, it would reset, and the sender would see no reason.
    """
    before = ingest.read_metric('sak_ingest_refused_requests_total{code="body_too_large"}')
    bodies = [b"x" * 1_200_000, b"x" * 16_000_000]
    answers = [
        ingest.request("POST", WEBHOOK_PATH, body, {"X-Webhook-Signature": sign(body), "Connection": connection})
        for body in bodies
        for connection in ("close", "keep-alive")
    ]

    assert [(answer.status, answer.json["code"]) for answer in answers] == [(413, "body_too_large")] * 4
    assert ingest.read_metric('sak_ingest_refused_requests_total{code="body_too_large"}') == before + 4
    with redis.Redis.from_url(redis_url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        wait_until(lambda: client.hget(contract.REFUSED, "body_too_large") == b"4", 15)
        largest = int(client.hget(contract.REFUSED, "body_too_large:bytes") or 0)  # pyright: ignore[reportArgumentType] - typed as also awaitable
    assert largest >= max(map(len, bodies))
    assert stream_bodies(redis_url) == []


def test_a_strangers_body_over_the_limit_alarms_nobody(ingest: IngestProcess) -> None:
    """Only a signed body is a lost event. Otherwise, anybody could cause alarms."""
    codes = [f'sak_ingest_refused_requests_total{{code="{code}"}}' for code in ("body_unverified", "body_too_large")]
    before = [ingest.read_metric(code) for code in codes]
    body = b"x" * 1_200_000
    answer = ingest.request("POST", WEBHOOK_PATH, body, {"X-Webhook-Signature": sign(b"another")})

    assert answer.status == 413
    assert [ingest.read_metric(code) for code in codes] == [before[0] + 1, before[1]]


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"X-Webhook-Signature": sign(b""), "Content-Encoding": "gzip"}, 415)],
)
def test_an_early_refusal_reaches_a_sender_that_closes(
    ingest: IngestProcess, headers: dict[str, str], status: int
) -> None:
    answer = ingest.request("POST", WEBHOOK_PATH, b"x" * 16_000_000, {**headers, "Connection": "close"})

    assert answer.status == status


def test_a_sender_that_never_ends_its_refused_body_is_cut_off(ingest: IngestProcess) -> None:
    """The deadline for a body also applies after the response."""
    with ingest.connect() as connection:
        connection.sendall(encode_request(b"x", "Content-Length: 5000000", "Connection: close"))
        head = read_response(connection)

        def is_cut_off() -> bool:
            try:
                connection.sendall(b"x")
            except ConnectionError:
                return True
            return False

        wait_until(is_cut_off, 20)
    assert head.startswith(b"HTTP/1.1 401 ")


def _resident(ingest: IngestProcess) -> int:
    with open(f"/proc/{ingest.process.pid}/status") as status:  # noqa: PTH123 - a file of the kernel
        (line,) = [line for line in status if line.startswith("VmRSS:")]
    return int(line.split()[1]) << 10
