"""Tests that acknowledged events arrive if Redis or ingest dies, each batch under its first identity."""

import itertools
import json
import sqlite3
from pathlib import Path

import pytest
import redis

from dev.embedded.valkey import EmbeddedValkey
from ingest.queue import contract
from tests.support.attacks.webhook_load import WebhookLoad
from tests.support.processes.ingest_process import IngestProcess, stream_batches, stream_bodies
from tests.support.waiting import wait_until


def waiting(ingest: IngestProcess) -> int:
    return int(ingest.read_metric("sak_spool_events"))


def test_redis_killed_and_back_under_load_costs_no_event(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """SAK sends once, so every refused or lost event is a message that never appears."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        with WebhookLoad(ingest) as load:
            for _ in range(3):
                load.wait_for(100)
                own_valkey.kill()
                load.wait_for(100)
                own_valkey.start()
        wait_until(lambda: waiting(ingest) == 0)

        assert load.failures == []
        assert sorted(stream_bodies(own_valkey.url)) == sorted(load.acknowledged)
        assert ingest.read_metric('sak_ingest_acknowledged_events_total{path="spool"}') > 0
        assert ingest.read_metric('sak_ingest_acknowledged_events_total{path="stream"}') > 0


def test_numbers_have_no_gaps_and_counts_add_up_after_an_outage(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """The ledger detects a lost batch by its missing number, so an unused number would be a false alarm."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        with WebhookLoad(ingest) as load:
            load.wait_for(100)
            own_valkey.kill()
            load.wait_for(100)
            own_valkey.start()
            wait_until(lambda: waiting(ingest) == 0)
        ingest.stop()
        once = {batch.number: batch for batch in stream_batches(own_valkey.url)}
        ordered = [once[number] for number in sorted(once)]

    assert len({batch.writer for batch in ordered}) == 1
    assert sorted(once) == list(range(1, len(once) + 1))
    assert ordered[-1].acknowledged_events == len(load.acknowledged)
    assert all(
        after.acknowledged_events == before.acknowledged_events + len(after.bodies)
        for before, after in itertools.pairwise(ordered)
    )


def test_the_spool_of_a_killed_process_is_adopted_by_the_next(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """A power failure stops Redis and ingest at the same time. Only the spool survives it."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        own_valkey.kill()
        answers = [ingest.post_webhook(b"%d" % number).json["path"] for number in range(5)]
        ingest.kill()
        ingest.start()
        assert waiting(ingest) == 5
        ingest.post_webhook(b"5")
        own_valkey.start()
        wait_until(lambda: waiting(ingest) == 0)

    assert answers == ["spool"] * 5
    assert sorted(stream_bodies(own_valkey.url)) == [b"0", b"1", b"2", b"3", b"4", b"5"]


def test_a_living_process_adopts_the_spool_of_one_that_died(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """Several processes share the folder. The files of a dead process must not wait until it is started again."""
    other = tmp_path / "other"
    other.mkdir()
    spool = str(tmp_path / "spool")
    with IngestProcess(own_valkey.url, tmp_path, SPOOL_DIR=spool) as survivor:
        own_valkey.kill()
        with IngestProcess(own_valkey.url, other, SPOOL_DIR=spool) as victim:
            assert victim.post_webhook(b"of the victim").json["path"] == "spool"
            assert survivor.post_webhook(b"of the survivor").json["path"] == "spool"
            assert (waiting(victim), waiting(survivor)) == (1, 1)
        own_valkey.start()
        wait_until(lambda: len(stream_bodies(own_valkey.url)) == 2)
        survivor.stop()

    assert sorted(stream_bodies(own_valkey.url)) == [b"of the survivor", b"of the victim"]
    assert list(Path(spool).glob("*.spool")) == []


def test_a_batch_that_was_sent_twice_is_one_batch(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """If ingest is killed between the stream's confirmation and the removal from the spool, it must send again."""
    with IngestProcess(own_valkey.url, tmp_path, SAK_FAILPOINT="spool.after_xadd:kill") as doomed:
        own_valkey.kill()
        doomed.post_webhook(b"once")
        own_valkey.start()
        doomed.process.wait(20)
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        wait_until(lambda: len(stream_batches(own_valkey.url)) >= 2 and waiting(ingest) == 0)

    assert stream_bodies(own_valkey.url) == [b"once"]
    assert sum(batch.bodies == (b"once",) for batch in stream_batches(own_valkey.url)) >= 2


@pytest.mark.long
def test_a_full_spool_refuses_and_its_numbers_are_used_later(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """503 is used only if both fail, and a refused event must not be counted as received."""
    with IngestProcess(own_valkey.url, tmp_path, SPOOL_MAX_BYTES="2000") as ingest:
        own_valkey.kill()
        answers = [ingest.post_webhook(b"x" * 500) for _ in range(5)]
        refused = [answer for answer in answers if answer.status != 200]
        own_valkey.start()
        wait_until(lambda: waiting(ingest) == 0)
        after = ingest.post_webhook(b"after")
        ingest.stop()
        newest = max(stream_batches(own_valkey.url), key=lambda batch: batch.number)

    assert 0 < len(refused) < 5
    assert {(answer.status, answer.headers["retry-after"], answer.json["code"]) for answer in refused} == {
        (503, "1", "not_kept")
    }
    assert after.json["path"] == "stream"
    assert newest.acknowledged_events == 5 - len(refused) + 1


def test_a_restart_of_redis_without_a_spool_refuses_nothing(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """A closed connection and a full spool sometimes coincide, and both refuse at the same time."""
    (tmp_path / "file").write_text("not a folder")
    with (
        IngestProcess(own_valkey.url, tmp_path, SPOOL_DIR=str(tmp_path / "file")) as ingest,
        WebhookLoad(ingest) as load,
    ):
        wait_until(lambda: bool(load.acknowledged))
        own_valkey.kill()
        own_valkey.start()
        before = len(load.acknowledged)
        wait_until(lambda: len(load.acknowledged) > before + load.clients)

    assert load.failures == []
    assert set(load.acknowledged) <= set(stream_bodies(own_valkey.url))


@pytest.mark.long
def test_without_a_spool_events_go_to_redis_and_readyz_notes_it(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """A container may run without a volume, which must be visible before Redis fails."""
    (tmp_path / "file").write_text("not a folder")
    with IngestProcess(own_valkey.url, tmp_path, SPOOL_DIR=str(tmp_path / "file")) as ingest:
        first = ingest.post_webhook(b"x")
        ready = ingest.get("/readyz")
        own_valkey.kill()
        second = ingest.post_webhook(b"y")
        unready = ingest.get("/readyz")
        own_valkey.start()
        wait_until(lambda: ingest.post_webhook(b"z").status == 200)

    assert first.json["path"] == "stream"
    assert ready.status == 200
    assert any("SPOOL_DIR" in note for note in ready.json["notes"])
    assert second.status == 503
    assert unready.status == 503


def test_a_damaged_spool_file_is_set_aside_and_replaced(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """The damaged file is kept for recovery, and must not prevent new events from being stored."""
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "000000000001-0badf11e.spool").write_bytes(b"this was a database once" * 100)
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        own_valkey.kill()
        answer = ingest.post_webhook(b"x")
        log = ingest.log

    assert answer.json["path"] == "spool"
    assert (folder / "000000000001-0badf11e.spool.damaged").read_bytes().startswith(b"this was")
    assert "damaged" in log


def test_the_spool_holds_as_many_events_as_the_batches_report(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """A person who opens the file after a disaster finds the same entry as in the stream."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        own_valkey.kill()
        answer = ingest.post_webhook(b"by hand")
        ingest.kill()
    (path,) = (tmp_path / "spool").glob("*.spool")
    connection = sqlite3.connect(path)
    head, bodies = connection.execute("SELECT head, bodies FROM batches").fetchone()
    connection.close()

    assert bodies == b"by hand"
    assert f"{json.loads(head)['writer']}:{json.loads(head)['number']}" == answer.json["batch"]


def test_an_emptied_redis_accepts_events_again(redis_url: str, tmp_path: Path) -> None:
    """After FLUSHALL an append needs no existing key, and the newest events are sent again."""
    with IngestProcess(redis_url, tmp_path) as ingest:
        ingest.post_webhook(b"before")
        with redis.Redis.from_url(redis_url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
            wait_until(lambda: client.exists(contract.WRITERS))
            client.execute_command("FLUSHALL")  # pyright: ignore[reportUnknownMemberType] - *args
        answer = ingest.post_webhook(b"after")
        wait_until(lambda: len(stream_bodies(redis_url)) == 2)

    assert answer.status == 200
    assert set(stream_bodies(redis_url)) == {b"before", b"after"}
