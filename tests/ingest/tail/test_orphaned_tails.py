"""Tests that after the end of an ingest, another one sends its newest events again and reports its end."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import redis

from dev.embedded.valkey import EmbeddedValkey
from ingest.queue import contract, writer_reports
from tests.support.attacks.webhook_load import WebhookLoad
from tests.support.processes.ingest_process import IngestProcess, stream_bodies
from tests.support.servers.lost_data import lose_everything
from tests.support.stream.stream_commits import commit_all
from tests.support.waiting import wait_until


def count_files_with(body: bytes, home: Path) -> int:
    return sum(body in path.read_bytes() for path in (home / "spool").glob("*.tail"))


def is_reported_as_ended(writer: str, client: redis.Redis) -> bool:
    fields = cast("dict[bytes, bytes]", client.hgetall(contract.WRITERS))
    return any(report.ended for report in writer_reports.from_hash(fields) if report.writer == writer)


def test_redis_and_ingest_killed_in_one_moment_lose_no_event(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """A power failure stops both at the same time. Only the file of the tail remains."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        with WebhookLoad(ingest) as load:
            load.wait_for(50)
            own_valkey.kill()
            ingest.kill()
        lose_everything(own_valkey)
        ingest.start()
        wait_until(lambda: set(load.acknowledged) <= set(stream_bodies(own_valkey.url)))


def test_a_process_that_ended_well_leaves_its_newest_events_to_the_next(
    own_valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    """A failover of Redis may occur during a deployment."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        ingest.post_webhook(b"x")
        ingest.stop()
        lose_everything(own_valkey)
        ingest.start()
        wait_until(lambda: stream_bodies(own_valkey.url) == [b"x"])


def test_a_living_process_sends_the_tail_of_one_that_died(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """Several processes share the folder, and the one that died may not be started again."""
    other = tmp_path / "other"
    other.mkdir()
    shared = {"SPOOL_DIR": str(tmp_path / "spool"), "TAIL_SECONDS": "2"}
    with IngestProcess(own_valkey.url, tmp_path, **shared) as survivor:
        with IngestProcess(own_valkey.url, other, **shared) as victim:
            victim.post_webhook(b"of the victim")
        lose_everything(own_valkey)
        wait_until(lambda: stream_bodies(own_valkey.url) == [b"of the victim"])
        wait_until(lambda: count_files_with(b"of the victim", tmp_path) == 0)

        assert survivor.read_metric("sak_tail_resent_events_total") >= 1


def test_the_tail_of_a_dead_process_is_kept_until_the_workers_have_stored_it(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """If this process dies soon, too, the next one finds the same file, and not a copy of it."""
    with IngestProcess(own_valkey.url, tmp_path, TAIL_SECONDS="60") as ingest:
        ingest.post_webhook(b"a message")
        for _ in range(2):
            ingest.kill()
            ingest.start()
            wait_until(lambda: ingest.read_metric("sak_tail_resent_events_total") == 1)
        kept = count_files_with(b"a message", tmp_path)
        commit_all(client)
        wait_until(lambda: ingest.read_metric("sak_tail_bytes") == 0)
        wait_until(lambda: count_files_with(b"a message", tmp_path) == 0)

    assert kept == 1
    assert stream_bodies(own_valkey.url) == [b"a message"]


def test_a_writer_that_died_is_reported_as_ended_once_its_files_are_sent(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """This includes a writer that was idle for long. Until then, its silence is a reason for a check."""
    with IngestProcess(own_valkey.url, tmp_path, TAIL_SECONDS="1") as ingest:
        writer = ingest.post_webhook(b"x").json["batch"].split(":")[0]
        wait_until(lambda: ingest.read_metric("sak_tail_bytes") == 0)
        ingest.kill()
        before = is_reported_as_ended(writer, client)
        ingest.start()
        wait_until(lambda: is_reported_as_ended(writer, client))

    assert not before


def test_the_end_of_a_writer_is_reported_again_to_a_redis_that_lost_the_report(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """Otherwise, the ledger would wait for the dead writer until a person accepts its end."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        writer = ingest.post_webhook(b"x").json["batch"].split(":")[0]
        ingest.kill()
        ingest.start()
        wait_until(lambda: is_reported_as_ended(writer, client))
        lose_everything(own_valkey)
        wait_until(lambda: is_reported_as_ended(writer, client))


@pytest.mark.parametrize("end", [IngestProcess.kill, IngestProcess.stop])
def test_the_end_of_a_writer_is_reported_by_each_process_until_redis_has_surely_kept_it(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path, end: Callable[[IngestProcess], object]
) -> None:
    """Redis, ingest and its successor may all fail within seconds, and the writer may have been idle for long."""
    with IngestProcess(own_valkey.url, tmp_path, TAIL_SECONDS="1") as ingest:
        writer = ingest.post_webhook(b"x").json["batch"].split(":")[0]
        wait_until(lambda: ingest.read_metric("sak_tail_bytes") == 0)
        for _ in range(2):
            end(ingest)
            lose_everything(own_valkey)
            ingest.start()
            wait_until(lambda: is_reported_as_ended(writer, client))


def test_a_writer_that_died_with_a_spool_ends_when_that_is_drained(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        wait_until(lambda: client.hlen(contract.WRITERS))
        own_valkey.kill()
        writer, number = ingest.post_webhook(b"x").json["batch"].split(":")
        ingest.kill()
        ingest.start()
        own_valkey.start()
        wait_until(lambda: stream_bodies(own_valkey.url) == [b"x"])

        def report() -> writer_reports.WriterReport:
            fields = cast("dict[bytes, bytes]", client.hgetall(contract.WRITERS))
            [found] = [found for found in writer_reports.from_hash(fields) if found.writer == writer]
            return found

        wait_until(lambda: report().ended)

    assert number == "1"
