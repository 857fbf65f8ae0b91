"""Tests the doctor command: its output, its exit code and its side effects."""

import json
from pathlib import Path

import pytest

from dev.chaos.event_generator import EventGenerator
from store.doctor import checks
from store.ledger import stream_status
from store.postgres import connections, errors
from tests.support.processes.examined_system import API_TOKEN, WEBHOOK_SECRET, ExaminedSystem
from tests.support.processes.pipeline import WorkerPipeline

DISKS = {"disk.data", "disk.spool", "disk.postgresql", "spool.bound"}
"""The checks whose results depend on the machine that runs the tests."""


def test_a_healthy_system_has_no_problem(examined_system: ExaminedSystem, tmp_path: Path) -> None:
    """A doctor that always reports a problem gets ignored."""
    pipeline = WorkerPipeline(examined_system.environ["DATABASE_URL"], examined_system.environ["REDIS_URL"], tmp_path)
    pipeline.feed.append(EventGenerator(51).take(20))
    pipeline.create_worker().start()
    try:
        assert pipeline.wait_until_drained()
        answers = examined_system.command_results()
        done = examined_system.run_doctor()
    finally:
        pipeline.close()

    problems = {name: answer for name, answer in answers.items() if answer not in {"ok", "info"} and name not in DISKS}
    assert problems == {}, done.stdout
    assert answers["ledger"] == answers["queue.age"] == answers["redis.persistence"] == "ok"


@pytest.mark.long
def test_the_exit_code_is_that_of_the_worst_finding(examined_system: ExaminedSystem) -> None:
    """Monitors read only the exit code: 0 for healthy (also before the first message), 1 for warnings, 2 for broken."""
    fine = examined_system.run_doctor("--quiet")
    examined_system.record_stream_status()
    waiting = examined_system.run_doctor("--json")
    examined_system.environ["API_TOKEN"] = "short"
    examined_system.record_stream_status()
    warned = examined_system.run_doctor("--quiet")
    broken = examined_system.run_doctor("--json", REDIS_URL="redis://127.0.0.1:1/0")

    assert (fine.returncode, fine.stdout.strip()) == (0, "No problem found."), fine.stdout
    assert (waiting.returncode, json.loads(waiting.stdout)["severity"]) == (0, "info")
    assert (warned.returncode, broken.returncode) == (1, 2)
    assert json.loads(broken.stdout)["severity"] == "broken"


def test_every_problem_has_a_remedy(examined_system: ExaminedSystem) -> None:
    """The person on call may not know the system well."""
    examined_system.environ |= {
        "WEBHOOK_SECRETS": "",
        "DATABASE_URL": "postgresql://app@127.0.0.1:1/x",
        "API_TOKEN": "a",
    }
    found = json.loads(examined_system.run_doctor("--json").stdout)["findings"]

    assert {one["name"] for one in found if one["severity"] == "broken"} >= {"postgresql", "secrets.webhook"}
    assert [one for one in found if one["severity"] != "ok" and not one["remedy"]] == []


@pytest.mark.long
def test_no_secret_is_ever_printed(examined_system: ExaminedSystem) -> None:
    """The output is pasted into chats and tickets."""
    password = "correct-horse-9811"
    urls = {
        "DATABASE_URL": f"postgresql://app:{password}@127.0.0.1:1/x",
        "REDIS_URL": f"redis://:{password}@127.0.0.1:1/0",
    }
    sentinel = {"REDIS_URL": f"redis+sentinel://:{password}@127.0.0.1:1/main/0"}
    mistyped = {"REDIS_URL": f"redis//:{password}@127.0.0.1:1/0"}
    output = "".join(
        done.stdout + done.stderr
        for done in (examined_system.run_doctor(**each) for each in ({}, urls, sentinel, mistyped))
    )

    assert "does not answer" in output
    assert [secret for secret in (WEBHOOK_SECRET, API_TOKEN, password) if secret in output] == []


def test_the_doctor_changes_nothing(examined_system: ExaminedSystem) -> None:
    """The doctor runs during incidents, so PostgreSQL refuses writes on its connection."""
    before = examined_system.redis.info("persistence")["rdb_changes_since_last_save"]
    examined_system.findings()
    after = examined_system.redis.info("persistence")["rdb_changes_since_last_save"]

    assert before == after
    with (
        connections.open(examined_system.environ["DATABASE_URL"], "test", overrides=checks.READ_ONLY) as connection,
        pytest.raises(errors.TransientError, match="25006"),
    ):
        stream_status.record(connection, stream_length=0, oldest_received_at=None, positions=())
