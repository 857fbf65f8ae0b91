"""Tests that workers continue when PostgreSQL's primary dies permanently and its standby takes over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.chaos.event_generator import EventGenerator
from dev.embedded.postgres import EmbeddedPostgres
from store.postgres import migrator
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.servers import replication


@pytest.fixture
def primary(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    with replication.running_primary(server_folder) as server:
        migrator.migrate(server.url)
        yield server


@pytest.fixture
def standby(primary: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """Return a streaming replica, without which the primary commits nothing from now on."""
    with replication.create_standby(primary, primary.folder.parent / "standby") as server:
        replication.require_synchronous_commit(primary)
        yield server


@pytest.mark.long
def test_workers_follow_the_primary_to_where_it_is(
    primary: EmbeddedPostgres, standby: EmbeddedPostgres, redis_url: str, tmp_path: Path
) -> None:
    """The only configuration is a URL that names both servers. Nothing is restarted, lost or duplicated."""
    pipeline = WorkerPipeline(replication.failover_url(primary, standby), redis_url, tmp_path)
    try:
        story = EventGenerator(95)
        worker = pipeline.create_worker().start()
        pipeline.feed.append_all(story.take(200), events_per_batch=5)
        assert pipeline.wait_until(lambda: pipeline.count_ledger_events() > 0), worker.output
        pipeline.feed.append_all(story.take(200), events_per_batch=5)
        primary.kill()
        pipeline.feed.append_all(story.take(100), events_per_batch=5)
        replication.promote(standby)

        assert pipeline.wait_until_drained(30), worker.output
        verdict = pipeline.judge()
        assert verdict.is_clean, verdict
        assert worker.start_count == 1
    finally:
        pipeline.close()
