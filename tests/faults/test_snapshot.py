"""Tests the restore of an older copy of PostgreSQL's data folder, which has the same timeline but an older state."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dev.chaos.event_generator import EventGenerator
from dev.embedded.postgres import EmbeddedPostgres
from store.postgres import migrator
from tests.support.history.history_writer import API_TOKEN
from tests.support.processes.api_server import running_api
from tests.support.processes.pipeline import WorkerPipeline


@pytest.fixture
def server(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(server_folder / "postgres", ephemeral=True, settings={"synchronous_commit": "on"}) as one:
        migrator.migrate(one.url)
        yield one


def copy_folder(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


@pytest.mark.long
def test_what_a_snapshot_lacks_is_applied_again_and_old_cursors_end(
    server: EmbeddedPostgres, redis_url: str, tmp_path: Path
) -> None:
    """PostgreSQL does not report it.

    A cursor would skip thousands of changes, and ids would refer to other messages.
    """
    pipeline = WorkerPipeline(server.url, redis_url, tmp_path)
    state = "SELECT e.epoch::text, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM feed_epoch AS e"
    ids = "SELECT message_id, id FROM whatsapp_messages"
    environ = {"DATABASE_URL": server.url, "API_TOKEN": API_TOKEN}
    try:
        worker = pipeline.create_worker().start()
        story = EventGenerator(121)
        pipeline.feed.append_all(story.take(200), events_per_batch=5)
        assert pipeline.wait_until_drained(), worker.output
        server.stop()
        copy_folder(server.folder / "data", server.folder / "snapshot")
        server.start()
        kept = dict(pipeline.fetch_rows(ids))
        pipeline.feed.append_all(story.take(300), events_per_batch=5)
        assert pipeline.wait_until_drained(), worker.output
        told = dict(pipeline.fetch_rows(ids))
        [(epoch, timeline)] = pipeline.fetch_rows(state)
        with running_api(environ) as url:
            cursor = changes(url).json()["data"]["cursor"]
            assert pipeline.wait_until(lambda: "lsn" in known_to_redis(pipeline))
            server.stop()
            copy_folder(server.folder / "snapshot", server.folder / "data")
            server.start()
            pipeline.feed.append_all(story.take(100), events_per_batch=5)

            assert pipeline.wait_until_drained(30), worker.output
            answer = changes(url, since=cursor)
        assert (found := pipeline.judge()).is_clean, found
        assert (answer.status_code, answer.json()["code"]) == (410, "epoch_changed")
        [(new_epoch, new_timeline)] = pipeline.fetch_rows(state)
        assert (new_timeline, new_epoch == epoch) == (timeline, False)
        now = dict(pipeline.fetch_rows(ids))
        assert {name: now[name] for name in kept} == kept
        assert not {id_ for name, id_ in now.items() if name not in kept} & set(told.values()), "an id twice"
    finally:
        pipeline.close()


def known_to_redis(pipeline: WorkerPipeline) -> set[str]:
    return {name.decode() for name in pipeline.redis.hkeys("sak:database")}


def changes(url: str, **parameters: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    return requests.get(f"{url}/api/changes", headers=headers, params=parameters, timeout=30)
