"""Two deliveries are the same event if and only if the body shows it."""

import hashlib

import pytest

from worker.senders import event_digest
from worker.senders.sak import identity, parser

WRITER = "0123456789abcdef0123456789abcdef"


def digest_of(body: bytes, *, number: int = 1, index: int = 0) -> bytes:
    told = parser.parse(body).is_self_identifying
    return event_digest.digest(body, writer=WRITER, number=number, index=index, is_self_identifying=told)


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":"message.received","messageId":"3EB0C0FFEE01"}',
        b'{"event":"message.received","timestamp":1734621000}',
        b'{"event":"message.received","timestamp":{"low":1734621000,"high":0}}',
        b'{"event":"message.received","data":{"message":{"id":"optional"}}}',
        b'{"event":"message.received","data":{"message":{"timestamp":1734621000000}}}',
        b'{"event":"message.received","data":{"key":{"id":"3EB0C0FFEE01"}}}',
        b'{"event":"status.change","data":{"timestamp":"2024-12-19T15:00:00Z"}}',
        b'{"id":"evt_01","event":"message","payload":{}}',
        b'{"deliveryId":"d-1","event":"message"}',
    ],
)
def test_an_event_with_an_id_or_a_time_is_the_same_wherever_it_comes(body: bytes) -> None:
    """SAK's bursts after a reconnect overlap, so the second copy must be a duplicate in any batch."""
    assert digest_of(body, number=1, index=0) == digest_of(body, number=7, index=3) == hashlib.sha256(body).digest()


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":"session.status","status":"disconnected","sessionId":"s"}',
        b'{"event":"session.connected","sessionId":"s","data":{"id":"s"}}',
        b'{"event":"message.received","data":{"from":"919811000001","message":{"text":"ok"}}}',
        b'{"event":"message.received","messageId":"","timestamp":0}',
        b'{"event":"message.received","messageId":null,"timestamp":null}',
        b'{"event":"message.received","messageId":true,"timestamp":NaN}',
        b"{}",
        b"[1734621000]",
        b"null",
        b"",
        b"\xff",
        b'{"messageId":"3EB0C0FFEE01"',
    ],
)
def test_an_event_without_id_and_time_is_another_one_each_time_it_comes(body: bytes) -> None:
    """Two `disconnected` events are two outages, and two "ok" are two messages. Only our own copies are the same."""
    first = digest_of(body, number=1, index=0)

    assert first == digest_of(body, number=1, index=0)
    assert len({first, digest_of(body, number=1, index=1), digest_of(body, number=2, index=0)}) == 3


def test_a_place_in_a_batch_has_the_digest_of_no_body() -> None:
    """A sender who knows the id of a writer must not be able to forge the digest of another event."""
    place = digest_of(b"{}", number=1, index=0)
    forged = event_digest.POSITION_PREFIX + f"{WRITER} 1 0".encode()

    assert hashlib.sha256(forged).digest() == place
    assert not parser.parse(forged).is_self_identifying
    assert digest_of(forged, number=2) != place


def test_places_that_are_spelled_alike_differ() -> None:
    """Batch 1, event 23 differs from batch 12, event 3."""
    assert digest_of(b"{}", number=1, index=23) != digest_of(b"{}", number=12, index=3)


def test_the_identity_of_an_event_is_frozen() -> None:
    """A changed list gives new digests to events that were counted before, so their copies would be counted again.

    If this fails, make the store find events by their earlier digests as well.
    """
    frozen = hashlib.sha256(repr((event_digest.POSITION_PREFIX, identity.IDENTIFYING_KEYS)).encode()).hexdigest()

    assert frozen == "6327ca3e74c632c6a22719da58b56e38d9bf9ad1551b441cc5092bcb1270b0a4"
