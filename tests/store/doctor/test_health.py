"""The command as a whole: what it says of a healthy system, of one that is not there, and to whom."""

import json
from pathlib import Path

import pytest

from dev.chaos.event_generator import Story
from store.doctor import checks
from store.ledger import stream_status
from store.postgres import connections, errors
from tests.store.doctor.conftest import SECRET, TOKEN, Patient
from tests.support.pipeline import Pipeline

DISKS = {"disk.data", "disk.spool", "disk.postgresql", "spool.bound"}
"""These judge the machine that runs the tests."""


def test_nothing_is_wrong_with_a_healthy_system(patient: Patient, tmp_path: Path) -> None:
    """A doctor who always finds something is not asked again."""
    pipeline = Pipeline(patient.environ["DATABASE_URL"], patient.environ["REDIS_URL"], tmp_path)
    pipeline.feed.add(Story(51).take(20))
    pipeline.worker().start()
    try:
        assert pipeline.drained()
        answers = patient.judged()
        done = patient.command()
    finally:
        pipeline.close()

    assert {name: answer for name, answer in answers.items() if answer != "ok" and name not in DISKS} == {}, done.stdout
    assert answers["ledger"] == answers["queue.age"] == answers["redis.persistence"] == "ok"


def test_the_exit_code_is_that_of_the_worst_finding(patient: Patient) -> None:
    """A monitor reads nothing but the code: 0 fine, 1 warnings, 2 broken."""
    fine = patient.command("--quiet")
    patient.environ["API_TOKEN"] = "short"
    warned = patient.command("--quiet")
    broken = patient.command("--json", REDIS_URL="redis://127.0.0.1:1/0")

    assert (fine.returncode, fine.stdout.strip()) == (0, "Nothing is wrong."), fine.stdout
    assert (warned.returncode, broken.returncode) == (1, 2)
    assert json.loads(broken.stdout)["answer"] == "broken"


def test_everything_that_is_wrong_comes_with_what_to_do(patient: Patient) -> None:
    """Who is woken at night by it knows least about it."""
    patient.environ |= {"WEBHOOK_SECRETS": "", "DATABASE_URL": "postgresql://app@127.0.0.1:1/x", "API_TOKEN": "a"}
    found = json.loads(patient.command("--json").stdout)["findings"]

    assert {one["name"] for one in found if one["answer"] == "broken"} >= {"postgresql", "secrets.webhook"}
    assert [one for one in found if one["answer"] != "ok" and not one["cure"]] == []


def test_no_secret_is_ever_printed(patient: Patient) -> None:
    """What an operator's terminal shows lands in chats and tickets."""
    password = "correct-horse-9811"
    urls = {
        "DATABASE_URL": f"postgresql://app:{password}@127.0.0.1:1/x",
        "REDIS_URL": f"redis://:{password}@127.0.0.1:1/0",
    }
    sentinel = {"REDIS_URL": f"redis+sentinel://:{password}@127.0.0.1:1/main/0"}
    mistyped = {"REDIS_URL": f"redis//:{password}@127.0.0.1:1/0"}
    said = "".join(
        done.stdout + done.stderr for done in (patient.command(**each) for each in ({}, urls, sentinel, mistyped))
    )

    assert "does not answer" in said
    assert [secret for secret in (SECRET, TOKEN, password) if secret in said] == []


def test_looking_changes_nothing(patient: Patient) -> None:
    """It is run while things are bad: PostgreSQL itself refuses writes on its connection."""
    before = patient.redis.info("persistence")["rdb_changes_since_last_save"]
    patient.found()
    after = patient.redis.info("persistence")["rdb_changes_since_last_save"]

    assert before == after
    with (
        connections.open(patient.environ["DATABASE_URL"], "test", bounds=checks.READ_ONLY) as connection,
        pytest.raises(errors.TransientError, match="25006"),
    ):
        stream_status.record(connection, length=0, oldest_at=None, writers=())
