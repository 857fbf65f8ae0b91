"""Everything that is answered with something else than an acknowledgement."""

import json
from dataclasses import dataclass

import pytest

from tests.support.ingest_process import Ingest, events, read_answer, request, sign

SIGNED = f"X-Webhook-Signature: {sign(b'hello')}"
CHUNK = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"


@dataclass(frozen=True)
class Refused:
    name: str
    request: bytes
    status: int
    code: str


TABLE = [
    Refused("another path", request(path="/"), 404, "not_found"),
    Refused("a path with escapes", request(path="/%ff%00"), 404, "not_found"),
    Refused("GET", request(method="GET"), 405, "method_not_allowed"),
    Refused("PUT", request(b"hello", SIGNED, "Content-Length: 5", method="PUT"), 405, "method_not_allowed"),
    Refused("POST to a page", request(path="/healthz"), 405, "method_not_allowed"),
    Refused("a length over the limit", request(b"hello", SIGNED, "Content-Length: 1048577"), 413, "body_too_large"),
    Refused(
        "chunks over the limit",
        request(CHUNK * 33 + b"0\r\n\r\n", SIGNED, "Transfer-Encoding: chunked"),
        413,
        "body_too_large",
    ),
    Refused("gzip", request(b"hello", SIGNED, "Content-Length: 5", "Content-Encoding: gzip"), 415, "content_encoding"),
    Refused(
        "a compressed transfer",
        request(b"0\r\n\r\n", SIGNED, "Transfer-Encoding: gzip, chunked"),
        415,
        "content_encoding",
    ),
    Refused(
        "a length and chunks",
        request(b"0\r\n\r\n", SIGNED, "Content-Length: 5", "Transfer-Encoding: chunked"),
        400,
        "bad_request",
    ),
    Refused(
        "chunks and a length",
        request(b"0\r\n\r\n", SIGNED, "Transfer-Encoding: chunked", "Content-Length: 5"),
        400,
        "bad_request",
    ),
    Refused("two lengths", request(b"hello", SIGNED, "Content-Length: 5", "Content-Length: 6"), 400, "bad_request"),
    Refused("a negative length", request(b"hello", SIGNED, "Content-Length: -5"), 400, "bad_request"),
    Refused("an endless length", request(b"hello", SIGNED, "Content-Length: " + "9" * 30), 400, "bad_request"),
    Refused("a broken chunk", request(b"zz\r\n", SIGNED, "Transfer-Encoding: chunked"), 400, "bad_request"),
    Refused("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "bad_request"),
    Refused("an unknown method", request(method="BREW"), 400, "bad_request"),
    Refused("CONNECT", b"CONNECT ingest:80 HTTP/1.1\r\nHost: ingest\r\n\r\n", 400, "bad_request"),
    Refused("a path that is not ASCII", request(path="/\xe9"), 400, "bad_request"),
    Refused(
        "headers without end", request(b"", *[f"X-{i}: {'x' * 1000}" for i in range(80)])[:-2], 431, "headers_too_large"
    ),
]


@pytest.mark.parametrize("refused", [pytest.param(row, id=row.name) for row in TABLE])
def test_a_refusal_has_its_status_and_its_code_and_keeps_nothing(
    ingest: Ingest, redis_url: str, refused: Refused
) -> None:
    """What we answer is the only thing the other side's log will hold; and a 500 here would be a lost event there."""
    with ingest.connect() as connection:
        connection.sendall(refused.request)
        head, _, body = read_answer(connection).partition(b"\r\n\r\n")

    assert head.split(b" ")[1] == str(refused.status).encode()
    assert json.loads(body) == {"success": False, "error": json.loads(body)["error"], "code": refused.code}
    assert json.loads(body)["error"].endswith(".")
    assert events(redis_url) == []


def test_head_and_options_are_answered_without_a_body(ingest: Ingest) -> None:
    """Uptime checks ask like that, and a body after HEAD would be read as the next answer."""
    head = ingest.raw(request(method="HEAD"))
    options = ingest.raw(request(method="OPTIONS"))

    assert head.startswith(b"HTTP/1.1 405 ")
    assert head.endswith(b"\r\n\r\n")
    assert options.startswith(b"HTTP/1.1 204 ")
    assert b"allow: POST, OPTIONS\r\n" in options


def test_a_slash_too_many_still_finds_the_webhook(ingest: Ingest) -> None:
    """A redirect would be lost on a sender that tries once."""
    answer = ingest.ask("POST", "/whatsapp-webhook/", b"hello", {"X-Webhook-Signature": sign(b"hello")})

    assert answer.status == 200


def test_a_body_over_the_limit_is_not_held_in_memory(ingest: Ingest) -> None:
    """Otherwise a hundred strangers with large bodies end the process, and with it everybody's events."""
    before = _resident(ingest)
    head = request(b"", SIGNED, "Transfer-Encoding: chunked")
    with ingest.connect() as connection:
        connection.sendall(head)
        for _ in range(2000):  # 64 MiB
            connection.sendall(CHUNK)
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert _resident(ingest) - before < 5 << 20


def _resident(ingest: Ingest) -> int:
    with open(f"/proc/{ingest.process.pid}/status") as status:  # noqa: PTH123 - a file of the kernel
        (line,) = [line for line in status if line.startswith("VmRSS:")]
    return int(line.split()[1]) << 10
