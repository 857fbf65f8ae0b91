"""Tests the exit codes, the reports and the interruption of `python -m worker replay`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import psycopg
import pytest

from store.postgres import connections
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import snapshot
from tests.support.history import replaying
from tests.support.history.faulty_parsers import FAULTY_PARSERS, parse_correctly
from tests.support.processes import preloaded_python
from worker.commands import replay


def environment(database_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "PATH": os.environ["PATH"]}


def command(database_url: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "worker", "replay", *arguments],
        env=environment(database_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(database_url: str, *arguments: str) -> tuple[int, str, str]:
    ended = preloaded_python.run("worker", "replay", *arguments, environment=environment(database_url))
    return ended.returncode, ended.stdout, ended.stderr


def test_the_exit_code_says_whether_anything_differs(database_url: str) -> None:
    """A deployment can check after every upgrade, and alert somebody only if a decision is needed."""
    replaying.store_batches(
        database_url, list(generated_history_batches.generate_batches(100)), FAULTY_PARSERS["wrong times"]
    )

    codes = [run(database_url, *arguments)[0] for arguments in (["--dry-run"], [], ["--dry-run"])]

    assert codes == [replay.DIFFERS, replay.DONE, replay.DONE]


def test_the_report_can_be_read_by_people_and_machines(database_url: str) -> None:
    """Both formats have the kinds of differences, their numbers, and a few examples."""
    replaying.store_batches(
        database_url, list(generated_history_batches.generate_batches(100)), FAULTY_PARSERS["wrong types"]
    )

    _, for_machines, _ = run(database_url, "--dry-run", "--json")
    _, for_people, _ = run(database_url, "--dry-run")

    document = json.loads(for_machines)
    assert (document["dry_run"], document["done"], document["events"]) == (True, True, 100)
    assert set(document["examples"]) == set(document["differences"])
    for kind, count in document["differences"].items():
        assert f"{count:>10,} {kind}\n" in for_people


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--batch", "0"], 2), (["--reason", "x"], 2), (["--nonsense"], 2)],
)
def test_invalid_arguments_are_refused(arguments: Sequence[str], code: int, database_url: str) -> None:
    """Arguments are checked before anything else happens."""
    assert run(database_url, *arguments)[0] == code


def test_a_missing_database_is_reported() -> None:
    """The error is a sentence, not a traceback."""
    code, _, err = run("postgresql://app@127.0.0.1:1/history")

    assert code == replay.FAILED
    assert err.startswith("replay: PostgreSQL cannot be used: ")
    assert "Traceback" not in err


@pytest.mark.long
def test_a_killed_replay_leaves_no_partial_step_and_resumes(database_url: str) -> None:
    """Each message is either unchanged or fully corrected, and the next run finishes the rest."""
    batches = list(generated_history_batches.generate_batches(400, seed=11))
    replaying.store_batches(database_url, batches, FAULTY_PARSERS["not understood"])

    process = command(database_url, "--batch", "5")
    reached = wait_for_progress(database_url, above=20)
    process.kill()
    process.communicate()
    code, out, _ = run(database_url, "--json")

    assert code == replay.DONE
    assert json.loads(out)["events"] == 400
    assert reached < 400
    with connections.open(database_url, "test") as connection:
        replays = connection.execute("SELECT count(*), count(finished_at) FROM replays").fetchall()
        said = replaying.comparable_snapshot(database_url)
        connection.execute(
            "TRUNCATE batches, event_digests, raw_events, event_keys, parked_events, sessions, session_events, "
            "message_keys, chats,"
            " whatsapp_messages, message_updates, lid_aliases, ledger_corrections, sends CASCADE"
        )
        replaying.store_batches(database_url, batches, parse_correctly)
    assert replays == [(1, 1)]
    assert snapshot.differences(said, replaying.comparable_snapshot(database_url)) == []


def test_a_stopped_replay_reports_that_it_resumes(database_url: str) -> None:
    """A deployment ends a process with SIGTERM. The current batch is finished, and the exit code shows it."""
    replaying.store_batches(database_url, list(generated_history_batches.generate_batches(400)), parse_correctly)

    process = command(database_url, "--batch", "2")
    wait_for_progress(database_url, above=2)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)

    assert process.returncode == replay.INTERRUPTED
    assert "run it again to resume" in out


def wait_for_progress(database_url: str, *, above: int) -> int:
    """Return the progress of the replay once it is beyond `above`."""
    deadline = time.monotonic() + 30
    with psycopg.connect(database_url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute("SELECT max(last_event_id) FROM replays").fetchone()
            if row and row[0] is not None and row[0] > above:
                return row[0]
            time.sleep(0.005)
    raise AssertionError("the replay does not get anywhere")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_replaying_a_hundred_thousand_events_changes_nothing_and_is_no_slower_than_a_tenth_of_the_drain(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """This tests the guarantees for replays on a large history."""
    batches = list(generated_history_batches.generate_batches(102_000, seed=2))
    with connections.open(database_url, "test") as connection:
        taken = [batches[start : start + 12] for start in range(0, len(batches), 12)]
        drained = 0.0
        for number, some in enumerate(taken):
            if number % 10 == 0:
                # Autovacuum does this once a minute. The drain is measured on a history that normally grows over days.
                connection.execute("ANALYZE")
            began = time.monotonic()
            generated_history_batches.store_batches(connection, some)
            drained += time.monotonic() - began
        row = connection.execute("SELECT count(*) FROM raw_events").fetchone()
        before = generated_history_batches.table_versions(connection)
        began = time.monotonic()

        report = replaying.run_replay(database_url, parse_correctly, size=512)

        seconds = time.monotonic() - began
        assert generated_history_batches.table_versions(connection) == before
    events = row[0] if row and isinstance(row[0], int) else 0
    with capsys.disabled():
        print(f"\n{events:,} events: drained {events / drained:,.0f}/s, replayed {events / seconds:,.0f}/s")
    assert report.difference_counts == {}
    assert report.event_count == events > 100_000
    assert seconds <= drained * 10
