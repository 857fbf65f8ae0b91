"""Tests a hundred thousand malformed requests, both random and malicious."""

import random
import re
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes.ingest_process import WEBHOOK_PATH, IngestProcess, encode_request, sign

REQUESTS = 100_000
METHODS = ("POST", "POST", "POST", "POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW", "post", "")
PATHS = (
    WEBHOOK_PATH,
    WEBHOOK_PATH,
    WEBHOOK_PATH,
    WEBHOOK_PATH + "/",
    WEBHOOK_PATH + "?a=%00",
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/%ff",
    "//",
    "*",
    "/" + "x" * 3000,
)
STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def body_of(chance: random.Random) -> bytes:
    kind = chance.randrange(6)
    if kind == 0:
        return b""
    if kind == 1:
        return chance.randbytes(chance.randrange(2000))
    if kind == 2:
        return b"[" * chance.randrange(5000)
    if kind == 3:
        return '{"event":"message.received","text":"é\\ud800"}'.encode("utf-16")
    return b'{"event":"message.received","messageId":"%d"}' % chance.getrandbits(64)


def signature_of(chance: random.Random, body: bytes) -> bytes:
    right = sign(body).encode()
    return chance.choice(
        (
            right,
            right,
            right.upper(),
            right[:-1],
            right + b"0",
            b"sha256=",
            b"",
            b"sha1=" + right[7:],
            chance.randbytes(40).translate(None, b"\r\n\0"),
            b"\xff" * 71,
            b"sha256=" + "٣".encode() * 64,
        )
    )


def request_of(chance: random.Random) -> bytes:
    body = body_of(chance)
    if chance.random() < 0.25:
        return encode_request(body, f"Content-Length: {len(body)}", f"X-Webhook-Signature: {sign(body)}")
    lines = [
        f"{chance.choice(METHODS)} {chance.choice(PATHS)} HTTP/1.{chance.choice('1111019')}".encode(),
        b"Host: ingest",
    ]
    if chance.random() < 0.9:
        lines.append(b"X-Webhook-Signature: " + signature_of(chance, body))
    length = str(len(body)).encode()
    framing = chance.random()
    if framing < 0.85:
        lines.append(b"Content-Length: " + length)
    elif framing < 0.9:
        lines.append(b"Transfer-Encoding: chunked")
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    elif framing < 0.93:
        lines += [b"Content-Length: " + length, b"Transfer-Encoding: chunked"]
    elif framing < 0.96:
        lines.append(b"Content-Length: " + chance.choice((b"-1", b"1e3", b"99999999999", b"0x10", b" ")))
    if chance.random() < 0.1:
        lines.append(b"Content-Encoding: " + chance.choice((b"gzip", b"identity", b"br, gzip", b"\xff")))
    if chance.random() < 0.1:
        lines.append(chance.randbytes(60).translate(None, b"\r\n"))
    return b"\r\n".join([*lines, b"", b""]) + body


def statuses(received: bytes) -> list[int]:
    return [int(status) for status in STATUS.findall(received)]


def ask(ingest: IngestProcess, requests: list[bytes]) -> list[int]:
    """Send requests over one connection until it closes, and return the responses."""
    with ingest.connect() as connection:
        connection.settimeout(10)
        received = b""
        try:
            connection.sendall(b"".join(requests))
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                received += part
        except (ConnectionResetError, BrokenPipeError):
            pass  # the request may be refused before all of it was read
    return statuses(received)


def resident(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


@pytest.fixture
def ingest(redis_url: str, tmp_path: Path) -> Iterator[IngestProcess]:
    """Return an ingest with a small tail, which would otherwise still grow after the first tenth of the requests."""
    with IngestProcess(redis_url, tmp_path, TAIL_SECONDS="1") as running:
        yield running


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_hundred_thousand_broken_requests_make_no_500_and_no_leak(ingest: IngestProcess) -> None:
    """The address is public, so anybody can send anything to it, which must not affect the events of the gateway."""
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    seen: Counter[int] = Counter()
    sent = 0
    after_a_tenth = 0
    while sent < REQUESTS:
        few = [request_of(chance) for _ in range(chance.choice((1, 1, 2, 8)))]
        seen.update(ask(ingest, few))
        sent += len(few)
        if not after_a_tenth and sent >= REQUESTS // 10:
            after_a_tenth = resident(ingest.process.pid)
    at_the_end = resident(ingest.process.pid)

    print(f"\nfuzz, seed {seed}: {dict(sorted(seen.items()))}, resident {after_a_tenth} kB, then {at_the_end} kB")
    assert not [status for status in seen if status >= 500], f"seed {seed}"
    assert seen[200] > REQUESTS // 10
    assert at_the_end <= 1.1 * after_a_tenth, f"seed {seed}"
    body = b'{"event":"message.received","messageId":"after all that"}'
    assert ingest.post_webhook(body).status == 200
