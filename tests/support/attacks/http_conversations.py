"""Draws HTTP conversations in the framings that HTTP/1.1 allows, and divisions of their bytes."""

import itertools
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.support.processes.served_connection import DIRECT_PATH, EARLY_PATH, SeenRequest

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
MAX_REQUESTS = 8
"""The maximum number of requests in one conversation, all of which may be pipelined."""
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=12)
TRAILER = b"Trailer-Of-Ours"


@dataclass(frozen=True)
class Conversation:
    sent: bytes
    expected: list[SeenRequest]


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Draw consecutive requests on one connection."""
    sent, expected = b"", list[SeenRequest]()
    for _ in range(draw(st.integers(1, MAX_REQUESTS))):
        sent += draw(st.sampled_from([b"", b"\r\n"]))
        method, path = draw(st.sampled_from(METHODS)), draw(st.sampled_from(["/", "/a", DIRECT_PATH, EARLY_PATH]))
        body = draw(st.one_of(st.binary(max_size=300), st.sampled_from([b"", b"x" * 70_000])))
        extra = draw(st.lists(VALUES, max_size=4))
        headers = [(b"host", b"x"), *((b"x-%d" % number, value.encode()) for number, value in enumerate(extra))]
        if draw(st.booleans()):
            headers.append((b"expect", b"100-continue"))
        if draw(st.booleans()):
            headers.append((b"content-length", b"%d" % len(body)))
            framed = body
        else:
            headers.append((b"transfer-encoding", b"chunked"))
            framed = draw(chunked(body))
        lines = [b"%s %s HTTP/1.1" % (method.encode(), path.encode()), *(b"%s: %s" % header for header in headers)]
        sent += b"\r\n".join([*lines, b"", framed])
        expected.append(SeenRequest(method, path, tuple(headers), None if path == EARLY_PATH else body))
    return Conversation(sent, expected)


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """Draw the body in chunks, some with an extension, possibly followed by trailers."""
    framed = b""
    extensions = st.sampled_from([b"", b";a", b';a="b"'])
    for start, end in draw(cuts(len(body))):
        framed += b"%x%s\r\n%s\r\n" % (end - start, draw(extensions), body[start:end])
    trailers = [b"%s: %s" % (TRAILER, value.encode()) for value in draw(st.lists(VALUES, max_size=3))]
    return b"\r\n".join([framed + b"0" + draw(extensions), *trailers, b"", b""])


@st.composite
def cuts(draw: st.DrawFn, length: int) -> list[tuple[int, int]]:
    """Draw consecutive slices, none of which is empty."""
    places = draw(st.sets(st.integers(1, max(1, length - 1)), max_size=8)) if length else set[int]()
    edges = sorted({0, *places, length})
    return list(itertools.pairwise(edges))


@st.composite
def damaged(draw: st.DrawFn, corpus: list[bytes]) -> bytes:
    """Draw a conversation of the corpus with parts cut out, repeated, moved or replaced."""
    sent = bytearray(draw(st.sampled_from(corpus)))
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(sent)))
        end = min(len(sent), start + draw(st.integers(0, 30)))
        replacement = draw(
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from([b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"0", b"-1", b"chunked", b"f" * 17]),
                st.just(bytes(sent[end : end + 100])),
            )
        )
        sent[start:end] = replacement
    return bytes(sent)
