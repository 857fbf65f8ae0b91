"""Tests that each writer reports its progress once a second, and its end when no batch of it is left."""

import socket
import time
from pathlib import Path
from typing import cast

import redis

from dev.embedded.valkey import EmbeddedValkey
from ingest.queue import contract, writer_reports
from ingest.queue.writer_reports import WriterReport
from tests.support.processes.ingest_process import IngestProcess
from tests.support.waiting import wait_until


def reports(client: redis.Redis) -> list[WriterReport]:
    return writer_reports.from_hash(cast("dict[bytes, bytes]", client.hgetall(contract.WRITERS)))


def test_a_writer_reports_its_position_before_and_after_its_batches(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """A writer must be known even if none of its batches arrives, because that is a sign of an outage."""
    before = time.time_ns() // 1_000_000
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        wait_until(lambda: reports(client))
        [silent] = reports(client)
        writer, number = ingest.post_webhook(b"x").json["batch"].split(":")
        wait_until(lambda: reports(client)[0].number)
        [busy] = reports(client)

    assert (silent.number, silent.acknowledged_events, silent.spooled_events, silent.ended) == (0, 0, 0, False)
    assert silent.host == socket.gethostname()
    assert before <= silent.seen_at < busy.seen_at <= time.time_ns() // 1_000_000
    assert (busy.writer, busy.number, busy.acknowledged_events) == (writer, int(number), 1)
    assert busy.writer == silent.writer


def test_a_writer_that_shuts_down_reports_its_end(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """Its last report is also its final count. Otherwise, the loss of its last batch could not be detected."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        ingest.post_webhook(b"x")
        ingest.stop()
        [report] = reports(client)

    assert (report.number, report.acknowledged_events, report.spooled_events, report.ended) == (1, 1, 0, True)


def test_a_writer_that_leaves_a_spool_has_not_ended(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """Its events are safe on its disk, but are missing in Redis until another process adopts them."""
    client.set(contract.STREAM, "not a stream")
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        ingest.post_webhook(b"x")
        ingest.stop()
        [report] = reports(client)

    assert report.spooled_events == 1
    assert not report.ended


def test_a_redis_user_that_may_not_report_is_noted(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """The ACL of an older release does not include the key. Events continue, and the operator sees what is missing."""
    client.acl_setuser(  # pyright: ignore[reportUnknownMemberType] - **kwargs
        "sak", enabled=True, passwords=["+pw"], keys=[contract.STREAM, "rq:*"], commands=["+@all"]
    )
    with IngestProcess(own_valkey.url.replace("unix://", "unix://sak:pw@"), tmp_path) as ingest:
        path = ingest.post_webhook(b"x").json["path"]
        wait_until(lambda: any(contract.WRITERS in note for note in ingest.get("/readyz").json["notes"]))

    assert path == "stream"
