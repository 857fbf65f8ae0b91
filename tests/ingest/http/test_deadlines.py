"""Tests that slow, half-closed and broken clients do not affect other clients."""

import contextlib
import socket
import threading
import time

import pytest

from tests.support.processes.ingest_process import (
    IngestProcess,
    encode_request,
    read_all,
    read_response,
    sign,
    stream_bodies,
)

SIGNED = f"X-Webhook-Signature: {sign(b'hello')}"
WHOLE = encode_request(b"hello", SIGNED, "Content-Length: 5")


@pytest.mark.long
def test_slow_headers_and_bodies_time_out_without_affecting_other_clients(
    ingest: IngestProcess, redis_url: str
) -> None:
    """An attacker can open 200 half-open connections from a laptop. They must not cost a single event."""
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(ingest.connect()) for _ in range(20)]
        breaks = [stack.enter_context(ingest.connect()) for _ in range(20)]
        heads = [stack.enter_context(ingest.connect()) for _ in range(200)]
        bodies = [stack.enter_context(ingest.connect()) for _ in range(20)]
        after_answer = stack.enter_context(ingest.connect())
        after_answer.sendall(WHOLE)
        assert read_response(after_answer).startswith(b"HTTP/1.1 200 ")
        after_answer.sendall(b"\r\n\r\n")
        for connection in heads:
            connection.sendall(WHOLE[:60])
        for connection in bodies:
            connection.sendall(WHOLE[:-2])
        for connection in breaks:
            connection.sendall(b"\r\n")
        dripping = stack.enter_context(ingest.connect())
        dripper = threading.Thread(target=_drip, args=[dripping], daemon=True)
        dripper.start()
        statuses = [ingest.post_webhook(b"hello").status for _ in range(200)]
        ends = [read_all(connection) for connection in [*silent, *breaks, after_answer]]
        late_heads = [read_all(connection) for connection in heads]
        late_bodies = [read_all(connection) for connection in bodies]
        dripper.join()

    assert statuses == [200] * 200
    assert set(ends) == {b""}
    assert {answer[:13] for answer in late_heads} == {b"HTTP/1.1 408 "}
    assert {answer[:13] for answer in late_bodies} == {b"HTTP/1.1 408 "}
    assert len(stream_bodies(redis_url)) == 201


def _drip(connection: socket.socket) -> None:
    """Send a byte now and then until the other side closes. A deadline must not move with every byte."""
    with contextlib.suppress(OSError):
        connection.sendall(WHOLE[:40])
        while True:
            time.sleep(0.1)
            connection.sendall(b"x")


def test_a_half_closed_connection_still_gets_its_answer(ingest: IngestProcess, redis_url: str) -> None:
    """Small HTTP clients shut down their side after the request."""
    assert ingest.send_raw(WHOLE).startswith(b"HTTP/1.1 200 ")
    assert stream_bodies(redis_url) == [b"hello"]


def test_a_client_that_is_gone_before_the_answer_sent_one_event(ingest: IngestProcess, redis_url: str) -> None:
    """The event arrived completely, even though nobody reads the response."""
    with ingest.connect() as connection:
        connection.sendall(WHOLE)
    ingest.post_webhook(b"after")

    assert sorted(stream_bodies(redis_url)) == [b"after", b"hello"]


def test_a_client_that_breaks_off_in_its_body_sent_nothing(ingest: IngestProcess, redis_url: str) -> None:
    """A partial event is discarded, and must not be prepended to the next one."""
    with ingest.connect() as connection:
        connection.sendall(WHOLE[:-1])
    ingest.post_webhook(b"after")

    assert stream_bodies(redis_url) == [b"after"]


def test_requests_in_one_go_are_answered_in_their_order(ingest: IngestProcess, redis_url: str) -> None:
    """HTTP permits pipelining, and each response must belong to its request."""
    answers = ingest.send_raw(WHOLE * 3 + encode_request(b"", SIGNED, "Content-Length: 0"))

    assert [part[:4] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"200 ", b"200 ", b"200 ", b"401 "]
    assert stream_bodies(redis_url) == [b"hello"] * 3


def test_a_request_followed_by_garbage_is_still_answered(ingest: IngestProcess, redis_url: str) -> None:
    """The event is stored, and a 400 instead of its response would deny that."""
    answer = ingest.send_raw(WHOLE + b"RUBBISH\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert stream_bodies(redis_url) == [b"hello"]


def test_a_connection_that_asks_for_another_protocol_ends_after_its_answer(ingest: IngestProcess) -> None:
    """The response ignores the other protocol, and the data that follows could be in any format."""
    upgrade = encode_request(b"", f"X-Webhook-Signature: {sign(b'')}", "Connection: upgrade", "Upgrade: h2c")
    with ingest.connect() as connection:
        connection.sendall(upgrade)
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close\r\n" in answer
