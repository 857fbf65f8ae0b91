"""A stream rejects another database, and accepts a copy of its database if no other copy is in use."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from dev.chaos.event_generator import EventGenerator
from ingest.queue import contract
from store.postgres import connections
from store.postgres.connections import Connection
from tests.support.processes import worker_http
from tests.support.processes.pipeline import WorkerPipeline
from worker import __main__ as worker_commands
from worker.commands import doctor
from worker.drain import database_marker
from worker.drain.database_marker import DatabaseMarker, DatabaseRefusedError
from worker.drain.stream import StreamConsumer


def marker(pipeline: WorkerPipeline, worker_name: str = "one") -> DatabaseMarker:
    return DatabaseMarker(StreamConsumer(pipeline.redis, worker_name))


@pytest.fixture
def connection(pipeline: WorkerPipeline) -> Iterator[Connection]:
    with connections.open(pipeline.database_url, "test") as one:
        yield one


def environ(pipeline: WorkerPipeline) -> dict[str, str]:
    return {"DATABASE_URL": pipeline.database_url, "REDIS_URL": pipeline.redis_url}


@pytest.mark.long
def test_a_second_database_on_one_redis_is_refused_until_it_is_adopted(
    make_pipeline: Callable[[], WorkerPipeline], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two systems on one Redis would share the events, and each would silently lose half of them."""
    first, second = make_pipeline(), make_pipeline()
    second.execute("UPDATE database_identity SET database_id = gen_random_uuid()")
    second.redis_url = first.redis_url
    right = first.create_worker().start()
    first.feed.append_all(EventGenerator(71).take(50), events_per_batch=5)
    assert first.wait_until_drained(), right.output
    wrong = second.create_worker(WORKER_PORT=worker_http.free_port()).start()
    assert second.wait_until(lambda: "another database" in worker_http.fetch(wrong, "/readyz")[1]), wrong.output
    first.feed.append_all(EventGenerator(72).take(50), events_per_batch=5)

    assert first.wait_until_drained(10), right.output
    assert first.judge().is_clean
    assert second.count_ledger_events() == 0
    found = {one.name: one.severity for one in doctor.examine(environ(second))}
    assert found["queue.database"] == "broken"
    assert worker_commands.main(["adopt"], environ(second)) == 0
    assert second.count_ledger_events() == 0
    assert worker_commands.main(["adopt", "--yes"], environ(second)) == 0
    assert "20 batches" in capsys.readouterr().out
    assert second.wait_until(lambda: second.count_ledger_events() == 100), wrong.output
    found = {one.name: one.severity for one in doctor.examine(environ(second))}
    assert found["queue.database"] == "ok"
    assert first.wait_until(lambda: "another database" in right.output), right.output


def test_a_new_database_is_taken_without_a_warning(pipeline: WorkerPipeline) -> None:
    worker = pipeline.create_worker().start()
    pipeline.feed.append(EventGenerator(73).take(5))
    assert pipeline.wait_until_drained(), worker.output

    assert '"level":"WARNING"' not in worker.output


def test_entries_are_applied_again_once_after_commits_were_lost(pipeline: WorkerPipeline) -> None:
    """Every worker notices the loss. Later workers leave the group at its new position."""
    workers = [pipeline.create_worker().start() for _ in range(3)]
    pipeline.feed.append_all(EventGenerator(74).take(300), events_per_batch=3)
    assert pipeline.wait_until_drained(), pipeline.worker_output
    pipeline.execute("UPDATE database_identity SET generation = gen_random_uuid()")
    pipeline.feed.append_all(EventGenerator(75).take(30), events_per_batch=3)

    assert pipeline.wait_until(lambda: "applying everything" in pipeline.worker_output, 15), pipeline.worker_output
    assert pipeline.wait_until_drained(), pipeline.worker_output
    assert pipeline.judge().is_clean
    assert pipeline.worker_output.count("applying everything") == 1
    assert all(worker.start_count == 1 for worker in workers)


def test_the_commits_of_the_last_second_are_missed_on_a_new_connection(
    pipeline: WorkerPipeline, connection: Connection
) -> None:
    """The marker is up to a second old, so a copy of the data folder from within that second is not behind it."""
    one = marker(pipeline)
    pipeline.feed.append_all(EventGenerator(75).take(20), events_per_batch=5)
    worker = pipeline.create_worker().start()
    assert pipeline.wait_until_drained()
    worker.terminate()
    one.verify(connection)
    [(generation,)] = pipeline.fetch_rows("SELECT generation FROM database_identity")
    pipeline.execute("DELETE FROM batches WHERE number = 4")

    one.verify(connection, is_new=False)
    assert pipeline.fetch_rows("SELECT generation FROM database_identity") == [(generation,)]
    one.verify(connection)
    assert pipeline.fetch_rows("SELECT generation FROM database_identity") != [(generation,)]


def test_ids_are_not_given_out_again_and_readers_start_anew(pipeline: WorkerPipeline, connection: Connection) -> None:
    one = marker(pipeline)
    [(epoch,)] = pipeline.fetch_rows("SELECT epoch FROM feed_epoch")
    pipeline.execute("SELECT setval('whatsapp_messages_id_seq', 5000), setval('sessions_session_number_seq', 7)")
    one.verify(connection)
    state = pipeline.redis.hgetall(contract.DATABASE)
    # As in an older snapshot, its log ends earlier and its ids are lower.
    pipeline.redis.hset(contract.DATABASE, "lsn", int(state[b"lsn"]) + (1 << 40))
    pipeline.execute("SELECT setval('whatsapp_messages_id_seq', 4000), setval('sessions_session_number_seq', 2)")
    pipeline.feed.append(EventGenerator(76).take(1))
    one.verify(connection)
    one.verify(connection)

    [(message, session)] = pipeline.fetch_rows(
        "SELECT nextval('whatsapp_messages_id_seq'), nextval('sessions_session_number_seq')"
    )
    assert (message, session) == (1_005_001, 1_008)
    assert pipeline.fetch_rows("SELECT epoch FROM feed_epoch") != [(epoch,)]
    assert pipeline.redis.hget(contract.DATABASE, "generation") != state[b"generation"]


def test_a_copy_waits_until_workers_no_longer_use_the_other(
    pipeline: WorkerPipeline, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two copies of one database, such as a clone or an old primary that returns, must not both receive events."""
    monkeypatch.setattr(database_marker, "IN_USE_MS", 1_000)
    pipeline.feed.append(EventGenerator(77).take(1))
    one, two = marker(pipeline, "one"), marker(pipeline, "two")
    one.verify(connection)
    pipeline.execute("UPDATE database_identity SET generation = gen_random_uuid()")

    with pytest.raises(DatabaseRefusedError, match="another copy"):
        two.verify(connection)
    time.sleep(1.1)
    two.verify(connection)
    one.verify(connection)


def test_a_primary_that_was_left_behind_is_refused_until_it_is_adopted(
    pipeline: WorkerPipeline, connection: Connection
) -> None:
    """The old primary returns after its standby was promoted, and lacks everything since then."""
    pipeline.feed.append(EventGenerator(78).take(1))
    one = marker(pipeline)
    one.verify(connection)
    [(generation,)] = pipeline.fetch_rows("SELECT generation::text FROM database_identity")
    promoted = {"timeline": "00000002", "generation": "0" * 8 + generation[8:], "past": generation}
    pipeline.redis.hset(contract.DATABASE, mapping=promoted)
    pipeline.redis.delete(database_marker.IN_USE)

    with pytest.raises(DatabaseRefusedError, match="promoted since"):
        one.verify(connection)
    one.adopt(connection)
    one.verify(connection)


def test_a_marker_that_another_program_wrote_is_replaced(pipeline: WorkerPipeline, connection: Connection) -> None:
    pipeline.redis.hset(contract.DATABASE, mapping={"database_id": "x", "last_ids": "[]", "past": "", "lsn": "?"})
    marker(pipeline).verify(connection)

    assert json.loads(pipeline.redis.hget(contract.DATABASE, "last_ids")) is not None
    assert marker(pipeline).load() is not None


def test_a_server_that_hides_its_position_is_known_by_its_generation(pipeline: WorkerPipeline) -> None:
    """Some managed servers hide it. Then a restore is noticed, but a promotion is not."""
    role = f"managed_{time.time_ns()}"
    pipeline.execute(f"CREATE ROLE {role} LOGIN")
    pipeline.execute("REVOKE EXECUTE ON FUNCTION pg_current_wal_flush_lsn() FROM PUBLIC")
    pipeline.execute(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}")
    pipeline.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
    one = marker(pipeline)
    with connections.open(pipeline.database_url.replace("app@", f"{role}@"), "test") as connection:
        one.verify(connection)
        one.verify(connection)
        known = one.load()
        pipeline.execute("UPDATE database_identity SET generation = gen_random_uuid()")
        one.verify(connection)
        after = one.load()
    pipeline.execute(f"DROP OWNED BY {role}")
    pipeline.execute(f"DROP ROLE {role}")

    assert known is not None
    assert after is not None
    assert (known.timeline, known.lsn) == (None, None)
    assert known.generation != after.generation
