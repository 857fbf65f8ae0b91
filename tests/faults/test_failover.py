"""PostgreSQL's primary dies for good, and its standby takes over."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dev.chaos.event_generator import EventGenerator
from dev.chaos.system_under_test import POSTGRES_SETTINGS
from dev.embedded import binaries, child_process, data_folder, system_user
from dev.embedded.postgres import SERVER_ENVIRONMENT, EmbeddedPostgres
from store.postgres import migrator
from tests.support.pipeline import WorkerPipeline


@pytest.fixture
def primary() -> Iterator[EmbeddedPostgres]:
    folder = data_folder.create_temporary()
    with EmbeddedPostgres(folder / "primary", ephemeral=True, settings=POSTGRES_SETTINGS) as server:
        migrator.migrate(server.url)
        yield server
    shutil.rmtree(folder)


@pytest.fixture
def standby(primary: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """A streaming replica, without which the primary commits nothing from now on."""
    server = EmbeddedPostgres(primary.folder.parent / "standby", ephemeral=True, settings=POSTGRES_SETTINGS)
    user = system_user.for_data_folder(primary.folder / "data")
    data = server.folder / "data"
    data.mkdir(mode=0o700)
    if user:
        user.give_ownership(data)
    programs = binaries.find_postgres(primary.folder, user, None)
    copy = [str(programs / "pg_basebackup"), "-D", str(data), "-h", str(primary.socket_folder), "-U", "app", "-R"]
    process = child_process.start(
        [*copy, "-c", "fast", "--no-sync"], subprocess.PIPE, environment=SERVER_ENVIRONMENT, user=user
    )
    said, _ = process.communicate()
    assert process.returncode == 0, said
    with server:
        with psycopg.connect(primary.url, autocommit=True) as database:
            database.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            database.execute("SELECT pg_reload_conf()")
        yield server


def test_workers_follow_the_primary_to_where_it_is(
    primary: EmbeddedPostgres, standby: EmbeddedPostgres, redis_url: str, tmp_path: Path
) -> None:
    """A URL that names both servers is all the configuration there is; nothing is restarted, lost or doubled."""
    url = (
        f"postgresql://app@/history?host={primary.socket_folder},{standby.socket_folder}"
        "&target_session_attrs=read-write"
    )
    pipeline = WorkerPipeline(url, redis_url, tmp_path)
    try:
        story = EventGenerator(95)
        worker = pipeline.create_worker().start()
        pipeline.feed.append_all(story.take(200), events_per_batch=5)
        assert pipeline.wait_until(lambda: pipeline.count_ledger_events() > 0), worker.output
        pipeline.feed.append_all(story.take(200), events_per_batch=5)
        primary.kill()
        pipeline.feed.append_all(story.take(100), events_per_batch=5)
        with psycopg.connect(standby.url, autocommit=True) as database:
            database.execute("SELECT pg_promote()")

        assert pipeline.wait_until(lambda: writable(standby)), "the standby was promoted"
        assert pipeline.wait_until_drained(30), worker.output
        verdict = pipeline.judge()
        assert verdict.is_clean, verdict
        assert worker.start_count == 1
    finally:
        pipeline.close()


def writable(server: EmbeddedPostgres) -> bool:
    with psycopg.connect(server.url, autocommit=True) as database:
        return database.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
