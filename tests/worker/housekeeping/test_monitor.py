"""Tests the observations that the worker makes every second, and their use in the ledger."""

import time

from dev.chaos import ledger_command
from dev.chaos.event_generator import EventGenerator
from ingest.queue import contract, writer_reports
from ingest.queue.writer_reports import WriterReport
from tests.support.processes import worker_http
from tests.support.processes.pipeline import WorkerPipeline
from worker.drain import stream

WRITER = "ab" * 16


def report(pipeline: WorkerPipeline, *, spooled: int = 0, ended: bool = False, writer: str = WRITER) -> None:
    """Report as an ingest does every second."""
    state = WriterReport(writer, time.time_ns() // 1_000_000, 7, 70, spooled, "ingest-a", ended)
    pipeline.redis.hset(contract.WRITERS, writer, writer_reports.to_value(state))


def writers(pipeline: WorkerPipeline) -> list[tuple[object, ...]]:
    query = "SELECT replace(writer::text, '-', ''), number, upto, spooled, host, ended_at IS NOT NULL FROM writers"
    return pipeline.fetch_rows(query)


def test_heartbeats_of_writers_reach_the_ledger(pipeline: WorkerPipeline) -> None:
    """This includes a writer without any batch in Redis, and a hash that also has an invalid value."""
    pipeline.redis.hset(contract.WRITERS, "someone", b"else")
    report(pipeline, spooled=70)
    worker = pipeline.create_worker().start()
    assert pipeline.wait_until(lambda: writers(pipeline) == [(WRITER, 7, 70, 70, "ingest-a", False)]), worker.output
    report(pipeline, ended=True)

    assert pipeline.wait_until(lambda: writers(pipeline) == [(WRITER, 7, 70, 0, "ingest-a", True)]), worker.output


def test_the_last_report_of_a_writer_leaves_redis_an_hour_after_its_end(pipeline: WorkerPipeline) -> None:
    """Otherwise the hash would grow by one field with each start of an ingest."""
    other = "cd" * 16
    for writer, hours in ((WRITER, 2), (other, 0)):
        report(pipeline, ended=True, writer=writer)
        pipeline.execute(
            "INSERT INTO writers (writer, number, upto, spooled, seen_at, heartbeat_ms, ended_at)"
            " VALUES (%s, 7, 70, 0, now(), 1, now() - make_interval(hours => %s))",
            writer,
            hours,
        )
    worker = pipeline.create_worker().start()

    assert pipeline.wait_until(lambda: pipeline.redis.hkeys(contract.WRITERS) == [other.encode()]), worker.output


def test_a_hash_of_another_type_does_not_stop_the_worker(pipeline: WorkerPipeline) -> None:
    pipeline.redis.set(contract.WRITERS, "not a hash")
    worker = pipeline.create_worker().start()
    pipeline.feed.append(EventGenerator(121).take(10))

    assert pipeline.wait_until_drained(restart_workers=False), worker.output


def test_an_entry_that_is_set_aside_is_counted_everywhere(pipeline: WorkerPipeline) -> None:
    """Its events are acknowledged and not stored. Once, 7,232 of them waited there while the ledger was exact."""
    worker = pipeline.create_worker(WORKER_PORT=worker_http.free_port()).start()
    pipeline.feed.append_fields({b"head": b'{"v":99}', b"bodies": b""})
    pipeline.feed.append(EventGenerator(122).take(10))
    assert pipeline.wait_until_drained(), worker.output
    assert pipeline.wait_until(lambda: worker_http.read_metric(worker, "sak_stream_unreadable_entries") == 1), (
        worker.output
    )
    code, document = ledger_command.read(pipeline.database_url)
    status, body = worker_http.fetch(worker, "/readyz")

    assert (code, document["exact"]) == (3, False)
    assert [(one["kind"], one["count"]) for one in document["unknown"]] == [("unreadable_entries", 1)]
    assert (status, "set aside" in body) == (200, True), "this worker stores what it can read"
    assert pipeline.redis.xlen(stream.UNREADABLE_STREAM) == 1
