"""Tests that the worker and the api behave the same through PgBouncer in transaction mode."""

import inspect
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from dev.chaos.event_generator import EventGenerator
from store.postgres import errors, migrator
from tests.api.chats import test_chat_search, test_chats, test_messages, test_read_flags, test_search
from tests.api.live import test_changes
from tests.api.operations import test_statistics
from tests.faults import test_poison, test_worker_deaths
from tests.support.history.history_writer import API_TOKEN, ApiClient, HistoryWriter
from tests.support.processes.api_server import running_api
from tests.support.processes.pipeline import WorkerPipeline
from tests.worker.drain import test_drainer

CLAIMS: tuple[Callable[[HistoryWriter, ApiClient], None], ...] = (
    test_messages.test_the_newest_messages_are_shown_and_cursors_lead_to_the_rest_and_back,
    test_messages.test_an_edit_shows_the_new_text_and_on_request_the_old_ones,
    test_read_flags.test_up_to_leaves_what_comes_later_unread,
    test_read_flags.test_a_message_of_a_transaction_that_was_running_stays_unread,
    test_search.test_pages_of_results_join_newest_first,
)
MORE: list[Callable[[HistoryWriter, ApiClient], None]] = [
    claim
    for module in (
        test_changes,
        test_chat_search,
        test_chats,
        test_messages,
        test_statistics,
        test_read_flags,
        test_search,
    )
    for name, claim in vars(module).items()
    if name.startswith("test_")
    and claim not in CLAIMS
    and set(inspect.signature(claim).parameters) == {"history", "client"}
]

OF_WORKERS: tuple[Callable[[WorkerPipeline], None], ...] = (
    test_drainer.test_a_job_past_its_timeout_ends_despite_retries,
    test_poison.test_one_poisoned_event_among_two_hundred_is_parked_and_the_others_are_stored,
    test_poison.test_poison_in_several_batches_at_once_is_found_in_each,
    test_worker_deaths.test_killed_during_its_commit_it_stores_the_batch_once,
)


@pytest.fixture
def history(direct_url: str) -> HistoryWriter:
    return HistoryWriter(direct_url)


@pytest.fixture
def client(pgbouncer_url: str, direct_url: str) -> Iterator[ApiClient]:
    environ = {"DATABASE_URL": pgbouncer_url, "DIRECT_DATABASE_URL": direct_url, "API_TOKEN": API_TOKEN}
    with running_api(environ) as url, requests.Session() as http:
        http.headers["authorization"] = f"Bearer {API_TOKEN}"
        yield ApiClient(url, http)


@pytest.mark.parametrize(
    "claim",
    [*CLAIMS, *(pytest.param(claim, marks=pytest.mark.long) for claim in MORE)],
    ids=lambda claim: claim.__name__.removeprefix("test_"),
)
def test_the_api_keeps_its_claims(
    claim: Callable[[HistoryWriter, ApiClient], None], history: HistoryWriter, client: ApiClient
) -> None:
    """Run the api's own tests on an api in which each transaction may use another session of PostgreSQL."""
    claim(history, client)


@pytest.fixture
def pipeline(direct_url: str, pgbouncer_url: str, redis_url: str, tmp_path: Path) -> Iterator[WorkerPipeline]:
    made = WorkerPipeline(direct_url, redis_url, tmp_path)
    made.worker_database_url = pgbouncer_url
    yield made
    made.close()


@pytest.mark.long
@pytest.mark.parametrize("claim", OF_WORKERS, ids=lambda claim: claim.__name__.removeprefix("test_"))
def test_the_worker_keeps_its_claims(claim: Callable[[WorkerPipeline], None], pipeline: WorkerPipeline) -> None:
    """Run the worker's own tests on workers that can reach PostgreSQL only through it."""
    claim(pipeline)


def test_workers_store_each_event_once_through_it_and_do_what_was_asked_for_beside_it(
    pgbouncer_url: str, direct_url: str, redis_url: str, tmp_path: Path
) -> None:
    """There are more workers than sessions of PgBouncer, and one is killed.

    A redrive holds a lock, so it bypasses it.
    """
    pipeline = WorkerPipeline(direct_url, redis_url, tmp_path)
    pipeline.worker_database_url = pgbouncer_url
    try:
        story = EventGenerator(141)
        for _ in range(3):
            pipeline.create_worker(DIRECT_DATABASE_URL=direct_url).start()
        for _ in range(4):
            pipeline.feed.append_all(story.take(100), events_per_batch=5)
            assert pipeline.wait_until(lambda: pipeline.count_ledger_events() > 0), pipeline.worker_output
            pipeline.workers[0].kill()
        pipeline.execute("INSERT INTO redrive_requests (caller, fingerprint) VALUES ('test', 'x')")

        assert pipeline.wait_until_drained(40), pipeline.worker_output
        redriven = "SELECT FROM redrive_requests WHERE finished_at IS NOT NULL AND failure IS NULL"
        assert pipeline.wait_until(lambda: len(pipeline.fetch_rows(redriven)) == 1), pipeline.worker_output
        verdict = pipeline.judge()
        assert verdict.is_clean, verdict
    finally:
        pipeline.close()


def test_a_pooler_that_ends_sessions_under_a_worker_costs_nothing(
    pgbouncer_url: str, direct_url: str, redis_url: str, tmp_path: Path
) -> None:
    """PgBouncer recycles sessions, and an administrator ends them. The current transaction is written again."""
    pipeline = WorkerPipeline(direct_url, redis_url, tmp_path)
    pipeline.worker_database_url = pgbouncer_url
    try:
        story = EventGenerator(142)
        pipeline.create_worker(DIRECT_DATABASE_URL=direct_url).start()
        ended = rounds = 0
        while rounds < 40 or (ended <= 5 and rounds < 400):  # a busy machine lets workers reconnect seldom
            rounds += 1
            pipeline.feed.append_all(story.take(10), events_per_batch=2)
            ended += len(
                pipeline.fetch_rows(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'worker' AND datname = current_database()"
                )
            )
            time.sleep(0.05)

        assert ended > 5
        assert pipeline.wait_until_drained(40), pipeline.worker_output
        verdict = pipeline.judge()
        assert verdict.is_clean, verdict
        assert pipeline.workers[0].start_count == 1
    finally:
        pipeline.close()


def test_migrations_refuse_to_run_through_it(pgbouncer_url: str) -> None:
    """Their lock would stay with an arbitrary session, and the next migration would wait for it."""
    with pytest.raises(errors.TransientError, match="DIRECT_DATABASE_URL"):
        migrator.migrate(pgbouncer_url)
    with psycopg.connect(pgbouncer_url, prepare_threshold=None) as connection:
        assert connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
