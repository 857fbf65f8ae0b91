"""Tests the limits on the sizes of heads, chunks and pipelines."""

import contextlib

from tests.support.processes.ingest_process import IngestProcess, encode_request, read_response, sign, stream_bodies

SIGNED = f"X-Webhook-Signature: {sign(b'hello')}"


def test_trailers_count_as_headers_and_are_none(ingest: IngestProcess, redis_url: str) -> None:
    """They arrive after the signature is read. A signature in a trailer could belong to another request."""
    chunked = encode_request(b"5\r\nhello\r\n0\r\n", "Transfer-Encoding: chunked")
    signed = encode_request(b"5\r\nhello\r\n0\r\nA: b\r\nB: c\r\n\r\n", SIGNED, "Transfer-Encoding: chunked")
    trailer = f"{SIGNED}\r\nX: y\r\n\r\n".encode()
    unsigned = encode_request(b"hello", "Content-Length: 5")
    smuggled = ingest.send_raw(chunked + trailer + unsigned)
    kept = ingest.send_raw(signed)
    with ingest.connect() as connection:
        connection.sendall(signed[:-2] + b"C: " + b"x" * (64 << 10))
        refused = read_response(connection)

    assert [part[:4] for part in smuggled.split(b"HTTP/1.1 ")[1:]] == [b"401 ", b"401 "]
    assert kept.startswith(b"HTTP/1.1 200 ")
    assert refused.startswith(b"HTTP/1.1 431 ")
    assert stream_bodies(redis_url) == [b"hello"]


def test_a_head_may_have_64_kib_and_128_headers(ingest: IngestProcess) -> None:
    """Both a large head in one piece and thousands of small headers are refused.

    Headers that proxies add are accepted.
    """

    def status(*headers: str) -> bytes:
        with ingest.connect() as connection:
            connection.sendall(encode_request(b"", *headers, method="GET", path="/healthz"))
            return read_response(connection)[9:12]

    assert status("X: " + "x" * (63 << 10)) == b"200"
    assert status("X: " + "x" * (64 << 10)) == b"431"
    assert status(*["a: b"] * 127) == b"200"
    assert status(*["a: b"] * 128) == b"431"


def test_what_came_before_does_not_count_as_a_head(ingest: IngestProcess, redis_url: str) -> None:
    """If a head begins in the same data as the end of a large body, only the head counts."""
    first = encode_request(b"x" * 65_300, f"X-Webhook-Signature: {sign(b'x' * 65_300)}", "Content-Length: 65300")
    second = encode_request(b"hello", SIGNED, "Content-Length: 5")
    with ingest.connect() as connection:
        connection.sendall(first + second[:100])
        kept = read_response(connection)
        connection.sendall(second[100:])
        kept += read_response(connection)

    assert kept.count(b"HTTP/1.1 200 ") == 2
    assert stream_bodies(redis_url) == [b"x" * 65_300, b"hello"]


def test_chunks_are_refused_whose_frames_exceed_their_content(ingest: IngestProcess, redis_url: str) -> None:
    """Each chunk takes time to process, so a body of single bytes, or an endless extension, is refused."""
    head = encode_request(b"", SIGNED, "Transfer-Encoding: chunked")
    with ingest.connect() as tiny, ingest.connect() as extended:
        tiny.sendall(head + b"1\r\nx\r\n" * 20_000)
        extended.sendall(head + b"1;" + b"x" * (64 << 10))
        answers = [read_response(tiny), read_response(extended)]

    assert [answer[9:12] for answer in answers] == [b"431", b"431"]
    assert stream_bodies(redis_url) == []


def test_a_connection_with_many_waiting_requests_ends_after_the_answers_to_a_few(ingest: IngestProcess) -> None:
    """Each waiting request takes memory. A proxy that pipelines repeats the remaining requests."""
    request = encode_request(b"", method="GET", path="/healthz")
    with ingest.connect() as connection:
        connection.sendall(request * 1000)
        answers = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                answers += part

    assert answers.count(b"HTTP/1.1 200 ") == 9
    assert answers.count(b"connection: close") == 1
