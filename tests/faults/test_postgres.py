"""Tests that nothing is parked if PostgreSQL is down, hangs or fails, and that everything is stored afterwards."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from dev.chaos.event_generator import EventGenerator
from dev.chaos.faults.fault_proxy import FaultProxy
from dev.chaos.system_under_test import POSTGRES_SETTINGS
from dev.embedded import postgres
from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.servers import EmbeddedServers
from store.postgres import migrator
from tests.support.processes import worker_http
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.servers.databases import run_admin
from tests.support.servers.failing_triggers import CREATE_DEADLOCK_TRIGGER, CREATE_DISK_FULL_TRIGGER


@pytest.fixture
def proxied(pipeline: WorkerPipeline, servers: EmbeddedServers) -> Iterator[FaultProxy]:
    """Return the proxy between this pipeline's workers and PostgreSQL."""
    with FaultProxy(servers.postgres.socket_folder / postgres.SOCKET_NAME) as proxy:
        pipeline.worker_database_url = f"postgresql://{postgres.ROLE}@127.0.0.1:{proxy.port}/{pipeline.database_name}"
        yield proxy


@pytest.fixture
def private(server_folder: Path, redis_url: str, tmp_path: Path) -> Iterator[tuple[EmbeddedPostgres, WorkerPipeline]]:
    """Return a PostgreSQL that may be stopped and killed."""
    with EmbeddedPostgres(server_folder / "postgres", ephemeral=True, settings=POSTGRES_SETTINGS) as server:
        migrator.migrate(server.url)
        pipeline = WorkerPipeline(server.url, redis_url, tmp_path)
        yield server, pipeline
        pipeline.close()


@contextmanager
def holding_a_table(database_url: str) -> Generator[None]:
    """Hold a lock that prevents batches from being written. Its server may disappear."""
    connection = psycopg.connect(database_url)
    connection.execute("LOCK TABLE batches IN SHARE MODE")
    yield
    with suppress(psycopg.OperationalError):
        connection.close()


def test_killed_while_a_batch_is_written_it_has_the_batch_once(
    private: tuple[EmbeddedPostgres, WorkerPipeline],
) -> None:
    """The machine fails during an open transaction and recovers. The batch is written again, on a new connection."""
    server, pipeline = private
    pipeline.create_worker().start()
    story = EventGenerator(61)
    for _ in range(2):
        with holding_a_table(pipeline.database_url):
            pipeline.feed.append_all(story.take(60), events_per_batch=3)
            assert pipeline.wait_until(pipeline.has_lock_waiter), pipeline.worker_output
            server.kill()
        server.start()

    assert pipeline.wait_until_drained(), pipeline.worker_output
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict
    assert pipeline.workers[0].start_count == 1


def test_a_storm_of_terminated_sessions_costs_nothing(pipeline: WorkerPipeline) -> None:
    """An administrator, a pooler or a failover can end sessions repeatedly at any time."""
    story = EventGenerator(62)
    for _ in range(2):
        pipeline.create_worker().start()
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker' AND datname = %s"
    name = pipeline.fetch_rows("SELECT current_database()")[0][0]
    terminated = 0
    rounds = 0
    while rounds < 40 or (terminated <= 5 and rounds < 400):  # a busy machine lets workers reconnect seldom
        pipeline.feed.append_all(story.take(20), events_per_batch=2)
        terminated += len(pipeline.fetch_rows(end, name))
        time.sleep(0.05)
        rounds += 1

    assert terminated > 5
    assert pipeline.wait_until_drained(30), pipeline.worker_output
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


def test_a_commit_whose_answer_is_lost_counts_once(pipeline: WorkerPipeline, proxied: FaultProxy) -> None:
    """The connection breaks after PostgreSQL committed and before the worker receives the result, so it must repeat."""
    pipeline.create_worker().start()
    story = EventGenerator(63)
    for dropped in range(1, 4):
        proxied.drop_reply_after(b"COMMIT")
        pipeline.feed.append(story.take(20))
        assert pipeline.wait_until(lambda dropped=dropped: proxied.dropped_replies == dropped), pipeline.worker_output

    assert pipeline.wait_until_drained(), pipeline.worker_output
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


def test_cut_connections_are_made_anew(pipeline: WorkerPipeline, proxied: FaultProxy) -> None:
    """If a network closes connections, the current batch is written again, without further effects."""
    pipeline.create_worker().start()
    story = EventGenerator(64)
    for _ in range(10):
        pipeline.feed.append_all(story.take(30), events_per_batch=3)
        proxied.reset_connections()
        time.sleep(0.05)

    assert pipeline.wait_until_drained(), pipeline.worker_output
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


@pytest.mark.long
@pytest.mark.parametrize("busy", [True, False])
def test_a_connection_on_which_nothing_arrives_any_more_is_given_up(
    pipeline: WorkerPipeline, proxied: FaultProxy, *, busy: bool
) -> None:
    """If a firewall drops the connection, there is no reset, and libpq waits for ever.

    Only our own deadline ends it.
    """
    worker = pipeline.create_worker().start()
    story = EventGenerator(65)
    pipeline.feed.append(story.take(20))
    assert pipeline.wait_until_drained(), worker.output
    proxied.blackhole = True
    if busy:
        pipeline.feed.append(story.take(20))
    pipeline.wait_until(lambda: False, 3)
    proxied.blackhole = False  # new connections work, while the old one stays dead
    pipeline.feed.append(story.take(20))

    assert pipeline.wait_until_drained(60, restart_workers=False), worker.output
    assert worker.start_count == 1
    assert pipeline.fetch_rows("SELECT count(*) FROM parked_events WHERE reason = 'kills_worker'") == [(0,)]
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.long)])
def test_while_it_is_away_nothing_is_parked_and_afterwards_all_is_stored(
    private: tuple[EmbeddedPostgres, WorkerPipeline], seconds: int
) -> None:
    """No event is to blame for its absence, so the stream keeps them, however often a worker tries."""
    server, pipeline = private
    worker = pipeline.create_worker().start()
    story = EventGenerator(66)
    pipeline.feed.append(story.take(20))
    assert pipeline.wait_until_drained(), worker.output
    server.stop()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pipeline.feed.append_all(story.take(20), events_per_batch=4)
        pipeline.wait_until(lambda: False, 0.5)
    assert pipeline.count_entries() > 0
    server.start()

    assert pipeline.wait_until_drained(20), worker.output
    assert pipeline.fetch_rows("SELECT DISTINCT reason FROM parked_events") in ([], [("unknown_event",)])
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


@pytest.mark.long
def test_an_event_suspected_of_killing_is_not_parked_because_postgresql_is_away(
    make_pipeline: Callable[[], WorkerPipeline],
) -> None:
    """A suspected entry counts how often each event was tried. A failure of PostgreSQL does not count as a death."""
    pipeline = make_pipeline()
    worker = pipeline.create_worker(DATABASE_URL=pipeline.database_url + "&connect_timeout=2")
    entry = pipeline.feed.append(EventGenerator(67).take(5))
    pipeline.redis.xgroup_create("sak:events", "workers", id="0", mkstream=True)
    pipeline.redis.xreadgroup("workers", "dead", {"sak:events": ">"})
    pipeline.redis.xclaim("sak:events", "workers", "dead", 0, [entry], idle=6_000, retrycount=5)
    # The schema check passes, and then every write fails as it does on a full disk.
    pipeline.execute(CREATE_DISK_FULL_TRIGGER)
    worker.start()
    assert pipeline.wait_until(lambda: "the entries stay in the stream" in worker.output, 30), worker.output
    notes = pipeline.redis.hgetall(f"sak:events:attempts:{entry.decode()}")
    assert notes == {b"0": b"0"}, "the first event was touched often, and nobody died"
    pipeline.execute("DROP TRIGGER disk_full ON batches")

    assert pipeline.wait_until_drained(), worker.output
    assert pipeline.fetch_rows("SELECT count(*) FROM parked_events WHERE reason = 'kills_worker'") == [(0,)]
    assert pipeline.judge().is_clean


def test_a_deadlock_is_tried_again(pipeline: WorkerPipeline) -> None:
    """Deadlocks are rare, because every statement is sorted.

    One caused by a report or a migration must not lose an event.
    """
    pipeline.execute(f"ALTER DATABASE {pipeline.database_name} SET deadlock_timeout = '50ms'")
    pipeline.execute(CREATE_DEADLOCK_TRIGGER)
    pipeline.execute(f"ALTER DATABASE {pipeline.database_name} SET deadlock_timeout = '3s'")
    worker = pipeline.create_worker().start()
    with psycopg.connect(pipeline.database_url) as other:
        other.execute("SET deadlock_timeout = '60s'")
        other.execute("SELECT pg_advisory_xact_lock(1)")
        pipeline.feed.append(EventGenerator(68).take(20))
        assert pipeline.wait_until(pipeline.has_lock_waiter), worker.output
        # The worker holds 2 and waits for 1. This closes the circle, which is detected within 3 s.
        other.execute("SELECT pg_advisory_xact_lock(2)")
        other.rollback()

    assert pipeline.wait_until_drained(), worker.output
    found = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert pipeline.wait_until(lambda: pipeline.fetch_rows(found) == [(1,)]), "there was one"
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


def test_a_database_without_its_tables_makes_a_worker_unready_and_eats_nothing(
    make_pipeline: Callable[[], WorkerPipeline], servers: EmbeddedServers
) -> None:
    """In a deployment that starts before its migration, the queue is not touched until the tables exist."""
    pipeline = make_pipeline()
    run_admin(servers, "DROP DATABASE {}", pipeline.database_name)
    run_admin(servers, "CREATE DATABASE {}", pipeline.database_name)
    worker = pipeline.create_worker(WORKER_PORT=worker_http.free_port()).start()
    pipeline.feed.append(EventGenerator(69).take(20))
    pipeline.feed.enqueue_drain()
    assert pipeline.wait_until(lambda: "lacks" in worker.output), worker.output
    status, body = worker_http.fetch(worker, "/readyz")

    assert status == 503
    assert "python -m store migrate" in body
    assert pipeline.count_entries() == 1
    assert pipeline.redis.exists("rq:queue:drain")
    migrator.migrate(pipeline.database_url)
    assert pipeline.wait_until_drained(), worker.output
    assert pipeline.judge().is_clean
    assert worker_http.fetch(worker, "/readyz")[0] == 200
