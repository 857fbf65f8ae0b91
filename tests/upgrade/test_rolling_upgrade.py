"""Tests processes of a release and of this version side by side, on one schema and one queue."""

import os
import re
import secrets
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from dev.chaos.event_generator import EventGenerator
from dev.checkout import ROOT
from dev.embedded.managed_process import ManagedProcess
from dev.release import releases
from ingest.queue import contract
from store.postgres import migrator
from tests.support.processes import worker_http
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.project import documentation
from tests.support.project.old_release import OldRelease

RECEIVED_AT: Final = 1_767_225_600_000
HISTORY: Final = {
    "batches": "writer, number, size, upto, stored, duplicate, noise, ping, parked, forgotten",
    "event_digests": "digest, received_at, last_received_at, outcome",
    "raw_events": "digest, received_at, body",
    "parked_events": "digest, reason, session_id, event, received_at",
    "sessions": "session_id, state, state_at, phone, phone_at",
    "chats": (
        "session_id, address, kind, own_name, name, last_timestamp, last_receive_order, unread,"
        # Since then, channels do not count as waiting.
        " CASE WHEN kind IN ('phone', 'lid', 'group') THEN waiting_since END"
    ),
    "whatsapp_messages": (
        "message_id, session_id, direction, from_number, to_number, message_type, message_text, media_url, caption,"
        " status, timestamp, time_source, receive_order, raw_type, content_state, mime_type, file_name, reply_to, "
        "sender,"
        " sender_name, base_status, original_text, edited_at, deleted_at, unread, is_duplicate"
    ),
    "message_updates": "kind, digest, direction, sender, occurred_at, status, text",
    "lid_aliases": "session_id, lid, phone, observed_at, digest",
}
"""The columns of each table that do not depend on generated numbers."""


def history(pipeline: WorkerPipeline) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: pipeline.fetch_rows(f"SELECT {columns} FROM {table} ORDER BY row({columns})::text")
        for table, columns in HISTORY.items()
    }


def webhooks(release: OldRelease) -> list[bytes]:
    """Return one webhook of every dialect that the release parses in the same way as this version."""
    folder = ROOT / "tests" / "payloads"
    bodies: list[bytes] = []
    for expected in sorted(folder.rglob("*/*.expected.json")):
        released = release.code_folder / expected.relative_to(ROOT)
        if released.exists() and released.read_bytes() == expected.read_bytes():
            stem = expected.name.removesuffix(".expected.json")
            bodies += [path.read_bytes() for path in expected.parent.glob(f"{stem}.*") if path.name != expected.name]
    return bodies


def entries(bodies: list[bytes]) -> list[dict[bytes, bytes]]:
    """Return the bodies as stream entries of one writer."""
    writer = secrets.token_hex(16)
    batches: list[dict[bytes, bytes]] = []
    for number, start in enumerate(range(0, len(bodies), 25), 1):
        batch = tuple(bodies[start : start + 25])
        upto = start + len(batch)
        receipts = tuple(range(RECEIVED_AT + start, RECEIVED_AT + upto))
        batches.append(contract.to_fields(contract.RawBatch(writer, number, upto, receipts, batch)))
    return batches


def test_a_released_worker_writes_the_same_history_into_the_new_schema(
    release: OldRelease, make_pipeline: Callable[..., WorkerPipeline], tmp_path: Path
) -> None:
    """Migrations run first. After that, only workers of the release may write, possibly for hours."""
    old, new = make_pipeline(), make_pipeline()
    bodies = webhooks(release)
    for entry in entries(bodies):
        old.feed.append_fields(entry)
        new.feed.append_fields(entry)
    release.create_worker(old, tmp_path).start()
    new.create_worker().start()

    for pipeline in (old, new):
        assert pipeline.wait_until(
            lambda p=pipeline: p.count_ledger_events() == len(bodies) and p.count_entries() == 0, 60
        ), pipeline.worker_output
    assert len(bodies) > 200
    assert history(old) == history(new)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_an_upgrade_under_traffic_loses_nothing_and_changes_nothing(
    release: OldRelease, make_pipeline: Callable[..., WorkerPipeline], tmp_path: Path
) -> None:
    """As in docs/upgrading.md: migrate, then replace the processes one by one, without stopping all of them."""
    pipeline = make_pipeline(empty=True)
    release.migrate(pipeline.database_url)
    story = EventGenerator(91)
    old = release.create_worker(pipeline, tmp_path).start()
    pipeline.feed.append_all(story.take(200), events_per_batch=5)
    assert pipeline.wait_until(lambda: pipeline.count_ledger_events() > 20), pipeline.worker_output

    pipeline.feed.append_all(story.take(300), events_per_batch=5)
    migrated = run_documented_commands(pipeline)
    pipeline.feed.append_all(story.take(200), events_per_batch=5)
    new = pipeline.create_worker().start()
    pipeline.feed.append_all(story.take(200), events_per_batch=5)
    assert pipeline.wait_until(lambda: pipeline.count_ledger_events() > 600), pipeline.worker_output
    assert old.terminate() == 0, old.output
    pipeline.workers.remove(old)
    pipeline.feed.append_all(story.take(200), events_per_batch=5)

    new_migrations = set(migrator.available()) - set(migrator.available(release.migrations_folder))
    assert migrated.count("applied") == len(new_migrations)
    assert pipeline.wait_until_drained(60), pipeline.worker_output
    assert (old.start_count, new.start_count) == (1, 1), "neither worker crashed beside the other"
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


@pytest.mark.long
def test_going_back_to_the_released_worker_works_on_the_new_schema(
    release: OldRelease, make_pipeline: Callable[..., WorkerPipeline], tmp_path: Path
) -> None:
    """After a downgrade, the old worker continues on the rows that the new one wrote."""
    pipeline = make_pipeline()
    story = EventGenerator(92)
    pipeline.feed.append_all(story.take(150), events_per_batch=5)
    new = pipeline.create_worker().start()
    assert pipeline.wait_until_drained(), new.output
    assert new.terminate() == 0
    pipeline.workers.remove(new)
    old = release.create_worker(pipeline, tmp_path).start()
    pipeline.feed.append_all(story.take(150), events_per_batch=5)

    assert pipeline.wait_until_drained(), old.output
    verdict = pipeline.judge()
    assert verdict.is_clean, verdict


def test_new_processes_wait_for_the_schema_and_name_the_missing_migration(
    make_pipeline: Callable[..., WorkerPipeline], tmp_path: Path
) -> None:
    """If a deployment starts the new code first, nothing is taken from the queue, and the probe gives the reason."""
    pipeline = make_pipeline(empty=True)
    *earlier, missing = migrator.available()
    folder = tmp_path / "migrations"
    folder.mkdir()
    for name in earlier:
        shutil.copy(migrator.MIGRATIONS_FOLDER / name, folder)
    migrator.migrate(pipeline.database_url, folder=folder)
    worker = pipeline.create_worker(WORKER_PORT=worker_http.free_port()).start()
    port = worker_http.free_port()
    environment = {"DATABASE_URL": pipeline.database_url, "API_TOKEN": "made-up-for-tests", "WORKER_PORT": port}
    api = ManagedProcess("api", environment | {"API_PORT": port, "DATA_DIR": str(tmp_path)}, tmp_path / "api.log")
    pipeline.feed.append(EventGenerator(93).take(5))
    with api:
        for process in (worker, api):
            assert pipeline.wait_until(lambda p=process: "lacks" in worker_http.fetch(p, "/readyz")[1]), process.output
            status, body = worker_http.fetch(process, "/readyz")
            assert status == 503
            assert missing in body
        assert pipeline.count_entries() == 1
        run_documented_commands(pipeline)

        assert pipeline.wait_until_drained(), pipeline.worker_output
        for process in (worker, api):
            assert pipeline.wait_until(lambda p=process: worker_http.fetch(p, "/readyz")[0] == 200), process.output


def run_documented_commands(pipeline: WorkerPipeline) -> str:
    """Return the output of the commands of docs/upgrading.md."""
    lines = documentation.tested_commands("docs/upgrading.md", "tests/upgrade/test_rolling_upgrade.py")
    assert "store migrate" in lines
    environment = os.environ | {"DATABASE_URL": pipeline.database_url}
    done = subprocess.run(
        ["/bin/sh", "-ec", lines], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in migrator.available(folder)}


def test_a_released_migration_is_never_edited(release: OldRelease) -> None:
    """A database that has already applied it would never get the change."""
    released = contents(release.migrations_folder)

    assert contents(migrator.MIGRATIONS_FOLDER).items() >= released.items()


def test_the_change_log_is_of_this_version() -> None:
    """Its first version is the one in pyproject.toml."""
    versions = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    numbered = [version for version in versions if version != "Unreleased"]

    assert numbered[0] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert numbered == sorted(numbered, key=lambda version: [int(part) for part in version.split(".")], reverse=True)
    assert "Unreleased" not in versions[1:]
    assert set(releases.load()) <= set(numbered)
