"""PostgreSQL goes away, comes back, hangs or says no: nothing is parked for it, and everything is stored after it."""

import shutil
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from dev.chaos.event_generator import Story
from dev.chaos.fault_proxy import Proxy
from dev.chaos.system_under_test import POSTGRES
from dev.embedded import data_folder, postgres
from dev.embedded.postgres import Postgres
from dev.embedded.servers import Servers
from store.postgres import migrator
from tests.conftest import execute
from tests.support import worker_http
from tests.support.failing_triggers import DEADLOCK, FULL_DISK
from tests.support.pipeline import Pipeline


@pytest.fixture
def proxied(pipeline: Pipeline, servers: Servers) -> Iterator[Proxy]:
    """The way of this pipeline's workers to PostgreSQL."""
    with Proxy(servers.postgres.socket_folder / postgres.SOCKET) as proxy:
        pipeline.worker_database_url = f"postgresql://{postgres.ROLE}@127.0.0.1:{proxy.port}/{pipeline.name}"
        yield proxy


@pytest.fixture
def private(redis_url: str, tmp_path: Path) -> Iterator[tuple[Postgres, Pipeline]]:
    """A PostgreSQL that may be stopped and killed."""
    folder = data_folder.temporary()
    with Postgres(folder / "postgres", ephemeral=True, settings=POSTGRES) as server:
        migrator.migrate(server.url)
        pipeline = Pipeline(server.url, redis_url, tmp_path)
        yield server, pipeline
        pipeline.close()
    shutil.rmtree(folder)


@contextmanager
def holding_a_table(database_url: str) -> Generator[None]:
    """A session that keeps batches from being written, and may find its server gone."""
    connection = psycopg.connect(database_url)
    connection.execute("LOCK TABLE batches IN SHARE MODE")
    yield
    with suppress(psycopg.OperationalError):
        connection.close()


def test_killed_while_a_batch_is_written_it_has_the_batch_once(private: tuple[Postgres, Pipeline]) -> None:
    """The machine dies under an open transaction and recovers: the batch is written again, on a new connection."""
    server, pipeline = private
    pipeline.worker().start()
    story = Story(61)
    for _ in range(2):
        with holding_a_table(pipeline.database_url):
            pipeline.feed.add_all(story.take(60), size=3)
            assert pipeline.until(pipeline.waits_for_a_lock), pipeline.said
            server.kill()
        server.start()

    assert pipeline.drained(), pipeline.said
    verdict = pipeline.judge()
    assert verdict.clean, verdict
    assert pipeline.workers[0].starts == 1


def test_a_storm_of_terminated_sessions_costs_nothing(pipeline: Pipeline) -> None:
    """An administrator, a pooler or a failover ends sessions at any moment, again and again."""
    story = Story(62)
    for _ in range(2):
        pipeline.worker().start()
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker' AND datname = %s"
    name = pipeline.rows("SELECT current_database()")[0][0]
    terminated = 0
    rounds = 0
    while rounds < 40 or (terminated <= 5 and rounds < 400):  # a busy machine lets workers reconnect seldom
        pipeline.feed.add_all(story.take(20), size=2)
        terminated += len(pipeline.rows(end, name))
        time.sleep(0.05)
        rounds += 1

    assert terminated > 5
    assert pipeline.drained(30), pipeline.said
    verdict = pipeline.judge()
    assert verdict.clean, verdict


def test_a_commit_whose_answer_is_lost_counts_once(pipeline: Pipeline, proxied: Proxy) -> None:
    """The connection breaks after PostgreSQL committed and before the worker hears of it: only a repeat is right."""
    pipeline.worker().start()
    story = Story(63)
    for dropped in range(1, 4):
        proxied.drop_reply_after(b"COMMIT")
        pipeline.feed.add(story.take(20))
        assert pipeline.until(lambda dropped=dropped: proxied.dropped_replies == dropped), pipeline.said

    assert pipeline.drained(), pipeline.said
    verdict = pipeline.judge()
    assert verdict.clean, verdict


def test_cut_connections_are_made_anew(pipeline: Pipeline, proxied: Proxy) -> None:
    """Networks cut connections; what is in hand is written again, and nothing else is noticed."""
    pipeline.worker().start()
    story = Story(64)
    for _ in range(10):
        pipeline.feed.add_all(story.take(30), size=3)
        proxied.cut()
        time.sleep(0.05)

    assert pipeline.drained(), pipeline.said
    verdict = pipeline.judge()
    assert verdict.clean, verdict


@pytest.mark.long
@pytest.mark.parametrize("busy", [True, False])
def test_a_connection_on_which_nothing_arrives_any_more_is_given_up(
    pipeline: Pipeline, proxied: Proxy, *, busy: bool
) -> None:
    """A firewall forgets the connection: no reset comes, libpq waits for ever, and only our own deadline ends it."""
    worker = pipeline.worker().start()
    story = Story(65)
    pipeline.feed.add(story.take(20))
    assert pipeline.drained(), worker.said
    proxied.swallowing = True
    if busy:
        pipeline.feed.add(story.take(20))
    pipeline.until(lambda: False, 3)
    proxied.swallowing = False  # new connections work; the old one stays as dead as it is
    pipeline.feed.add(story.take(20))

    assert pipeline.drained(60, keep=False), worker.said
    assert worker.starts == 1
    assert pipeline.rows("SELECT count(*) FROM parked WHERE reason = 'kills_worker'") == [(0,)]
    verdict = pipeline.judge()
    assert verdict.clean, verdict


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.long)])
def test_while_it_is_away_nothing_is_parked_and_afterwards_all_is_stored(
    private: tuple[Postgres, Pipeline], seconds: int
) -> None:
    """Its absence is no fault of any event: the stream keeps them, however often a worker tries in vain."""
    server, pipeline = private
    worker = pipeline.worker().start()
    story = Story(66)
    pipeline.feed.add(story.take(20))
    assert pipeline.drained(), worker.said
    server.stop()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pipeline.feed.add_all(story.take(20), size=4)
        pipeline.until(lambda: False, 0.5)
    assert pipeline.entries() > 0
    server.start()

    assert pipeline.drained(20), worker.said
    assert pipeline.rows("SELECT DISTINCT reason FROM parked") in ([], [("unknown_event",)])
    verdict = pipeline.judge()
    assert verdict.clean, verdict


@pytest.mark.long
def test_an_event_suspected_of_killing_is_not_parked_because_postgresql_is_away(
    new_pipeline: Callable[[], Pipeline],
) -> None:
    """Opening an entry carefully counts how often each event was touched; a failure of PostgreSQL is no death."""
    pipeline = new_pipeline()
    worker = pipeline.worker(DATABASE_URL=pipeline.database_url + "&connect_timeout=2")
    entry = pipeline.feed.add(Story(67).take(5))
    pipeline.redis.xgroup_create("sak:events", "workers", id="0", mkstream=True)
    pipeline.redis.xreadgroup("workers", "dead", {"sak:events": ">"})
    pipeline.redis.xclaim("sak:events", "workers", "dead", 0, [entry], idle=6_000, retrycount=5)
    # The schema check passes, and then every write fails as it does on a disk that is full.
    pipeline.run(FULL_DISK)
    worker.start()
    assert pipeline.until(lambda: "nothing drained" in worker.said, 30), worker.said
    notes = pipeline.redis.hgetall(f"sak:events:careful:{entry.decode()}")
    assert notes == {b"0": b"0"}, "the first event was touched often, and nobody died"
    pipeline.run("DROP TRIGGER disk_full ON batches")

    assert pipeline.drained(), worker.said
    assert pipeline.rows("SELECT count(*) FROM parked WHERE reason = 'kills_worker'") == [(0,)]
    assert pipeline.judge().clean


def test_a_deadlock_is_tried_again(pipeline: Pipeline) -> None:
    """They are rare, as every statement is sorted; one that a report or a migration causes must not cost an event."""
    pipeline.run(f"ALTER DATABASE {pipeline.name} SET deadlock_timeout = '50ms'")
    pipeline.run(DEADLOCK)
    pipeline.run(f"ALTER DATABASE {pipeline.name} SET deadlock_timeout = '3s'")
    worker = pipeline.worker().start()
    with psycopg.connect(pipeline.database_url) as other:
        other.execute("SET deadlock_timeout = '60s'")
        other.execute("SELECT pg_advisory_xact_lock(1)")
        pipeline.feed.add(Story(68).take(20))
        assert pipeline.until(pipeline.waits_for_a_lock), worker.said
        # The worker holds 2 and waits for 1; now the circle closes, and within 3 s the worker looks for circles.
        other.execute("SELECT pg_advisory_xact_lock(2)")
        other.rollback()

    assert pipeline.drained(), worker.said
    found = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert pipeline.until(lambda: pipeline.rows(found) == [(1,)]), "there was one"
    verdict = pipeline.judge()
    assert verdict.clean, verdict


def test_a_database_without_its_tables_makes_a_worker_unready_and_eats_nothing(
    new_pipeline: Callable[[], Pipeline], servers: Servers
) -> None:
    """A deployment that starts before its migration: the queue is not touched until the tables are there."""
    pipeline = new_pipeline()
    execute(servers, "DROP DATABASE {}", pipeline.name)
    execute(servers, "CREATE DATABASE {}", pipeline.name)
    worker = pipeline.worker(WORKER_PORT=worker_http.free_port()).start()
    pipeline.feed.add(Story(69).take(20))
    pipeline.feed.hint()
    assert pipeline.until(lambda: "lacks" in worker.said), worker.said
    status, body = worker_http.get(worker, "/readyz")

    assert status == 503
    assert "python -m store migrate" in body
    assert pipeline.entries() == 1
    assert pipeline.redis.exists("rq:queue:drain")
    migrator.migrate(pipeline.database_url)
    assert pipeline.drained(), worker.said
    assert pipeline.judge().clean
    assert worker_http.get(worker, "/readyz")[0] == 200
