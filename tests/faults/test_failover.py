"""PostgreSQL's primary dies for good, and its standby takes over."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dev.chaos.event_generator import Story
from dev.chaos.system_under_test import POSTGRES
from dev.embedded import binaries, child_process, data_folder, system_user
from dev.embedded.postgres import ENVIRONMENT, Postgres
from store.postgres import migrator
from tests.support.pipeline import Pipeline


@pytest.fixture
def primary() -> Iterator[Postgres]:
    folder = data_folder.temporary()
    with Postgres(folder / "primary", ephemeral=True, settings=POSTGRES) as server:
        migrator.migrate(server.url)
        yield server
    shutil.rmtree(folder)


@pytest.fixture
def standby(primary: Postgres) -> Iterator[Postgres]:
    """A streaming replica, without which the primary commits nothing from now on."""
    server = Postgres(primary.home.parent / "standby", ephemeral=True, settings=POSTGRES)
    user = system_user.for_server(primary.home / "data")
    data = server.home / "data"
    data.mkdir(mode=0o700)
    if user:
        user.own(data)
    programs = binaries.postgres(primary.home, user, None)
    copy = [str(programs / "pg_basebackup"), "-D", str(data), "-h", str(primary.socket_folder), "-U", "app", "-R"]
    process = child_process.start(
        [*copy, "-c", "fast", "--no-sync"], subprocess.PIPE, environment=ENVIRONMENT, account=user
    )
    said, _ = process.communicate()
    assert process.returncode == 0, said
    with server:
        with psycopg.connect(primary.url, autocommit=True) as database:
            database.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            database.execute("SELECT pg_reload_conf()")
        yield server


def test_workers_follow_the_primary_to_where_it_is(
    primary: Postgres, standby: Postgres, redis_url: str, tmp_path: Path
) -> None:
    """A URL that names both servers is all the configuration there is; nothing is restarted, lost or doubled."""
    url = (
        f"postgresql://app@/history?host={primary.socket_folder},{standby.socket_folder}"
        "&target_session_attrs=read-write"
    )
    pipeline = Pipeline(url, redis_url, tmp_path)
    try:
        story = Story(95)
        worker = pipeline.worker().start()
        pipeline.feed.add_all(story.take(200), size=5)
        assert pipeline.until(lambda: pipeline.counted() > 0), worker.said
        pipeline.feed.add_all(story.take(200), size=5)
        primary.kill()
        pipeline.feed.add_all(story.take(100), size=5)
        with psycopg.connect(standby.url, autocommit=True) as database:
            database.execute("SELECT pg_promote()")

        assert pipeline.until(lambda: writable(standby)), "the standby was promoted"
        assert pipeline.drained(30), worker.said
        verdict = pipeline.judge()
        assert verdict.clean, verdict
        assert worker.starts == 1
    finally:
        pipeline.close()


def writable(server: Postgres) -> bool:
    with psycopg.connect(server.url, autocommit=True) as database:
        return database.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
