"""Tests the worker's log lines about a transaction."""

import json
import uuid
from pathlib import Path

from store.model.batches import Batch
from tests.support.processes.pipeline import WorkerPipeline
from worker.drain import batch_log


def test_consecutive_batches_are_logged_as_one_range() -> None:
    """A transaction has one line, however many batches it contains."""
    one, other = uuid.uuid4().hex, uuid.uuid4().hex
    batches = [Batch(one, number, 0, ()) for number in (4, 2, 3, 9, 7)] + [Batch(other, 1, 0, ())]

    assert sorted(batch_log.ranges(batches)) == sorted([f"{one}:2-4", f"{one}:7", f"{one}:9", f"{other}:1"])


def test_an_event_is_followed_from_its_answer_to_its_row(database_url: str, redis_url: str, tmp_path: Path) -> None:
    """`writer:number:index` is in the response to the webhook, in the worker's line and in the ledger."""
    pipeline = WorkerPipeline(database_url, redis_url, tmp_path)
    odd = b'{"event":"call.missed","sessionId":"s1","from":"919811000001@s.whatsapp.net"}'
    pipeline.feed.append([b'{"event":"x","test":true,"sessionId":"s1"}', odd])
    try:
        worker = pipeline.create_worker(LOG_FORMAT="json").start()
        assert pipeline.wait_until_drained()
        assert pipeline.wait_until(lambda: '"event parked"' in worker.output)
        lines = [json.loads(each) for each in worker.output.splitlines()]
    finally:
        pipeline.close()

    (stored,) = [each for each in lines if each["message"] == "stored"]
    parked = [each for each in lines if each["message"] == "event parked"]
    rows = pipeline.fetch_rows("SELECT encode(digest, 'hex'), reason FROM parked_events")
    assert stored["batches"] == [f"{pipeline.feed.writer}:1"]
    assert stored["events"] == 2
    assert f"{pipeline.feed.writer}:1:1" in {each["event"] for each in parked}
    assert {(each["digest"], each["reason"]) for each in parked} == set(rows)
    assert "919811000001" not in worker.output
