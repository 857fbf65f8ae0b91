"""Receipts from a wrong clock of ingest must not date messages."""

import json
import time

from ingest.queue import contract
from tests.support.processes.pipeline import WorkerPipeline
from worker.drain import decoding

HOUR = 3_600_000
NOW = 1_790_000_000_000


def body(number: int, *, sent_at: int | None) -> bytes:
    message = {
        "event": "message.received",
        "sessionId": "44444444-4444-4555-8666-777777777777",
        "from": "919811000077@s.whatsapp.net",
        "messageId": f"3EB0D1{number:06}",
        "type": "conversation",
        "text": "hello",
    }
    return json.dumps(message if sent_at is None else {**message, "timestamp": sent_at // 1000}).encode()


def fields(*bodies: bytes, received_at: int) -> dict[bytes, bytes]:
    receipts = tuple(received_at + index for index in range(len(bodies)))
    return contract.to_fields(contract.RawBatch("a" * 32, 1, len(bodies), receipts, bodies))


def receipts(entry: dict[bytes, bytes], appended_at: int) -> list[int]:
    return [event.received_at for event in decoding.batch(entry, appended_at).events]


def test_messages_of_batches_with_one_receipt_are_shown_in_order(pipeline: WorkerPipeline) -> None:
    """Ingest stores several batches per millisecond. Their events must not be interleaved by their indexes."""
    batches = [(body(1, sent_at=NOW), body(2, sent_at=NOW)), (body(3, sent_at=NOW),)]
    pipeline.redis.xadd(contract.STREAM, contract.to_fields(contract.RawBatch("a" * 32, 1, 2, (NOW, NOW), batches[0])))
    second = contract.RawBatch("a" * 32, 2, 3, (NOW,), batches[1], first_order=2)
    pipeline.redis.xadd(contract.STREAM, contract.to_fields(second))
    worker = pipeline.create_worker().start()

    assert pipeline.wait_until_drained(), worker.output
    shown = pipeline.fetch_rows("SELECT message_id FROM whatsapp_messages ORDER BY timestamp, receive_order")
    assert shown == [(f"3EB0D1{number:06}",) for number in (1, 2, 3)]


def test_right_receipts_are_kept_however_long_the_spool_had_them() -> None:
    """An outage of Redis may take hours, and the receipt is the only time of some events."""
    entry = fields(body(1, sent_at=NOW), body(2, sent_at=None), received_at=NOW)

    assert receipts(entry, NOW + 30 * HOUR) == [NOW, NOW + 1]
    assert receipts(entry, NOW - 60_000) == [NOW, NOW + 1]


def test_receipts_of_a_fast_clock_are_bound_by_the_append_and_keep_their_order() -> None:
    entry = fields(body(1, sent_at=None), body(2, sent_at=None), body(3, sent_at=NOW), received_at=NOW + 26 * HOUR)

    assert receipts(entry, NOW) == [NOW - 2, NOW - 1, NOW]


def test_a_receipt_of_a_slow_clock_does_not_make_a_right_time_wrong() -> None:
    """The time is 26 hours after the receipt, but matches the time of the append, so the receipt is wrong."""
    entry = fields(body(1, sent_at=NOW), body(2, sent_at=NOW + 48 * HOUR), received_at=NOW - 26 * HOUR)

    assert receipts(entry, NOW) == [NOW, NOW - 26 * HOUR + 1]


def test_messages_of_an_ingest_with_a_wrong_clock_keep_their_times(pipeline: WorkerPipeline) -> None:
    """A clock that was 26 hours off replaced thousands of correct times by wrong ones."""
    now = int(time.time()) * 1000
    sent = {number: now - number * 60_000 for number in range(20)}
    for number, sent_at in sent.items():
        off = 26 * HOUR * (-1) ** number
        raw = contract.RawBatch("d" * 32, number + 1, number + 1, (now + off,), (body(number, sent_at=sent_at),))
        pipeline.feed.append_fields(contract.to_fields(raw))
        pipeline.feed.written_bodies.extend(raw.bodies)
    worker = pipeline.create_worker().start()

    assert pipeline.wait_until_drained(), worker.output
    rows = pipeline.fetch_rows("SELECT message_id, timestamp, time_source FROM whatsapp_messages ORDER BY message_id")
    assert rows == [(f"3EB0D1{number:06}", sent_at, "message") for number, sent_at in sent.items()]
    [(latest,)] = pipeline.fetch_rows("SELECT max(received_at) FROM raw_events")
    assert latest <= now + HOUR
