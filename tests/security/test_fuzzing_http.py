"""Tests random connections of strangers: valid requests in every framing, and damaged ones."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from http_server.bounded_reader import OVERFLOW_CODE
from tests.support.attacks import http_conversations
from tests.support.attacks.fuzzing import fuzz
from tests.support.attacks.http_conversations import Conversation
from tests.support.processes.served_connection import converse

pytestmark = pytest.mark.long

HTTP_CORPUS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "http_corpus").glob("*.http"))}
"""Examples of what a client may send over one connection, in framings that servers have interpreted differently."""
SMUGGLED = "/smuggled"
"""The path of a request that only such a different interpretation would find."""


@given(conversation=http_conversations.conversations(), data=st.data())
@fuzz
def test_requests_are_read_as_they_were_sent_and_answered_in_their_order(
    conversation: Conversation, data: st.DataObject
) -> None:
    """The result does not depend on the framing, on the boundaries of packets or on trailers."""
    parts = data.draw(http_conversations.cuts(len(conversation.sent)))
    served = converse([conversation.sent[start:end] for start, end in parts])

    assert served.seen == conversation.expected
    assert served.answers.count(b"HTTP/1.1 200 ") == len(conversation.expected)
    rest = served.answers
    for request in conversation.expected:
        if request.method != "HEAD":
            rest = rest[rest.index(request.digest) :]
    assert (served.refusals, served.errors, served.left) == ([], [], (0, 0))


@given(sent=http_conversations.damaged(list(HTTP_CORPUS.values())), data=st.data(), resets=st.booleans())
@fuzz
def test_whatever_a_client_sends_is_read_alike_and_leaves_nothing_behind(
    sent: bytes, data: st.DataObject, *, resets: bool
) -> None:
    """If bytes could be one request or two, depending on their packets, a request could be smuggled."""
    parts = data.draw(http_conversations.cuts(len(sent)))
    whole, cut = converse([sent]), converse([sent[start:end] for start, end in parts], resets=resets)

    assume(OVERFLOW_CODE not in whole.refusals)
    assert whole.whole_requests[: len(cut.whole_requests)] == cut.whole_requests
    assert resets or whole.whole_requests == cut.whole_requests
    assert (whole.errors, whole.left, cut.errors, cut.left) == ([], (0, 0), [], (0, 0))


@pytest.mark.parametrize("name", HTTP_CORPUS)
def test_a_frame_that_servers_read_in_two_ways_is_read_in_one(name: str) -> None:
    sent = HTTP_CORPUS[name]
    whole, cut = converse([sent]), converse([sent[place : place + 1] for place in range(len(sent))])

    assert whole.whole_requests == cut.whole_requests
    assert SMUGGLED not in {request.path for request in whole.seen + cut.seen}
    assert (whole.errors, whole.left, cut.errors, cut.left) == ([], (0, 0), [], (0, 0))
