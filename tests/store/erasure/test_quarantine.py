"""An erasure also reaches webhooks that ingest keeps because their signature matches no secret."""

import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dev.checkout import ROOT
from ingest.quarantine.quarantine_file import FILE_NAME, QuarantineFile, UnverifiedWebhook
from store.erasure import quarantine
from store.erasure.subjects import ErasureSubject
from tests.support.history.erasure_scenario import (
    ASHA,
    ERASED_WORDS,
    LID,
    RAVI,
    SESSION,
    ErasureScenario,
    message_event,
    store_asha_history,
)
from tests.support.processes import preloaded_python
from tests.support.processes.ingest_process import IngestProcess, sign
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.project import documentation
from tests.support.senders import number_spellings
from tests.support.waiting import wait_until

ABOUT_ASHA = [message_event("zebra", 1), message_event("lion", 2, LID), message_event(f"call +91 {ASHA[2:]}", 3, RAVI)]
NEW_SECRET = "another-secret-made-up-for-tests"
ABOUT_RAVI = [message_event(f"number {number}", number, RAVI) for number in range(10, 15)]


def keep(folder: Path, bodies: Sequence[bytes]) -> QuarantineFile:
    folder.mkdir(exist_ok=True)
    file = QuarantineFile(folder / FILE_NAME)
    file.add([UnverifiedWebhook(1, b"sha256=0", body) for body in bodies], 64 << 20)
    return file


def kept(file: QuarantineFile) -> list[bytes]:
    return [one.body for one in file.read(0, 10_000)]


def forget(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FORGET_KEY": "", **environ}
    return preloaded_python.run("store", "forget", *arguments, environment=environment)


@settings(
    max_examples=20,
    deadline=None,
    # A counterexample is one of these bodies, and shrinking it would take minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_no_spelling_of_the_number_is_left_in_the_quarantine(tmp_path: Path, data: st.DataObject) -> None:
    person = str(data.draw(st.integers(919811010000, 919811999999)))
    mentioning = [data.draw(number_spellings.bodies(person, "91")) for _ in range(10)]
    others = [b"other-%d call 98110 00999" % n for n in range(10)]
    file = keep(tmp_path, [body for pair in zip(mentioning, others, strict=True) for body in pair])

    subject = ErasureSubject(None, (person,), 0)
    found = quarantine.count(file.path, subject)
    erased = quarantine.erase(file.path, subject)

    assert (found, erased) == (10, 10)
    assert kept(file) == others
    content = file.path.read_bytes()
    assert not [body for body in mentioning if body in content]
    file.path.unlink()


def test_rows_that_were_deleted_before_leave_no_bytes(tmp_path: Path) -> None:
    """SQLite copies rows within its pages, so webhooks that ingest removed may still be in the file."""
    file = keep(tmp_path, [b"trace-%03d " % n * (1 + n * n % 97) for n in range(300)])
    for start in range(1, 300, 20):
        file.remove(range(start, start + 19))
    quarantine.erase(file.path, ErasureSubject(None, (ASHA,), 0))

    content = file.path.read_bytes()
    remaining = {body[:9] for body in kept(file)}
    assert len(remaining) == 15
    assert {b"trace-%03d" % n for n in range(300) if b"trace-%03d" % n in content} == remaining


def test_the_command_counts_and_erases_every_address_of_the_person(erasure_scenario: ErasureScenario) -> None:
    """A webhook of a LID does not contain the phone, and after the erasure nobody knows that they belong together."""
    store_asha_history(erasure_scenario)
    file = keep(quarantine.spool_dir(erasure_scenario.environ), [*ABOUT_ASHA, *ABOUT_RAVI])

    counted = forget(erasure_scenario.environ, ASHA)
    before = kept(file)
    done = forget(erasure_scenario.environ, ASHA, "--yes")

    assert f"3 webhooks to erase in this host's quarantine ({file.path})" in counted.stdout
    assert before == [*ABOUT_ASHA, *ABOUT_RAVI]
    assert f"3 webhooks erased in this host's quarantine ({file.path})" in done.stdout
    command = done.stdout.splitlines()[-1].partition("python -m store forget ")[2].split()
    assert (sorted(command[:2]), command[2:]) == (sorted([ASHA, LID]), ["--quarantine-only", "--yes"])
    assert kept(file) == ABOUT_RAVI


def test_another_host_erases_in_its_quarantine_without_a_database(tmp_path: Path) -> None:
    """Hosts that run only ingest have no access to PostgreSQL."""
    file = keep(tmp_path, [*ABOUT_ASHA, *ABOUT_RAVI])
    environ = {"SPOOL_DIR": str(tmp_path), "DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": "", "SAK_PHONE": RAVI}

    counted = forget(environ, ASHA, LID, "--quarantine-only")
    refused = [forget(environ, *arguments, "--yes") for arguments in ([RAVI, "--quarantine-only"], [ASHA, LID])]
    before = kept(file)
    done = forget(environ, ASHA, LID, "--quarantine-only", "--yes")

    assert (counted.returncode, done.returncode) == (0, 0)
    assert "3 webhooks to erase" in counted.stdout
    assert [one.returncode for one in refused] == [2, 2]
    assert len(before) == 8
    assert "3 webhooks erased" in done.stdout
    assert kept(file) == ABOUT_RAVI


def test_a_webhook_left_on_another_host_is_not_stored_after_the_erasure(
    pipeline: WorkerPipeline, tmp_path: Path
) -> None:
    """Its receipt shows that it came before the erasure. A later one would begin a new history of the person."""
    host, secrets = tmp_path / "host", tmp_path / "secrets"
    host.mkdir()
    environ = {"DATABASE_URL": pipeline.database_url, "DATA_DIR": str(tmp_path / "data")}
    with IngestProcess(pipeline.redis_url, host, WEBHOOK_SECRETS_FILE=str(secrets)) as ingest:
        for body in (ABOUT_ASHA[0], ABOUT_RAVI[0]):
            ingest.post_webhook(body, {"X-Webhook-Signature": sign(body, NEW_SECRET)})
        wait_until(lambda: ingest.read_metric("sak_quarantine_events") == 2)
        erased = forget(environ, ASHA, "--yes")
        secrets.write_text(NEW_SECRET)
        wait_until(lambda: ingest.read_metric("sak_quarantine_recovered_events_total") == 2)
        pipeline.create_worker(**environ).start()
        assert pipeline.wait_until_drained(), pipeline.worker_output

    assert erased.returncode == 0, erased.stderr
    assert pipeline.fetch_rows("SELECT address FROM chats") == [(RAVI,)]
    assert pipeline.fetch_rows("SELECT sum(stored), sum(forgotten) FROM batches") == [(1, 1)]


def test_the_documented_commands_work(tmp_path: Path) -> None:
    """Operators paste the commands of docs/keeping.md on each host."""
    file = keep(tmp_path, [ABOUT_ASHA[0], *ABOUT_RAVI])
    lines = documentation.tested_commands("docs/keeping.md", "tests/store/erasure/test_quarantine.py")

    environ = {**os.environ, "SPOOL_DIR": str(tmp_path)}
    subprocess.run(["/bin/sh", "-ec", lines], env=environ, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    assert kept(file) == ABOUT_RAVI


def test_one_session_keeps_the_webhooks_of_others(tmp_path: Path) -> None:
    other = message_event("hello", 1, sessionId="another")
    file = keep(tmp_path, [ABOUT_ASHA[0], other])

    assert quarantine.erase(file.path, ErasureSubject((SESSION,), (ASHA,), 0)) == 1
    assert kept(file) == [other]


@pytest.mark.parametrize("content", [None, b""])
def test_a_host_without_a_quarantine_has_nothing_to_erase(tmp_path: Path, content: bytes | None) -> None:
    """Ingest creates the file with its first webhook, and may be about to create the table."""
    path = tmp_path / FILE_NAME
    if content is not None:
        path.write_bytes(content)
    subject = ErasureSubject(None, (ASHA,), 0)

    assert (quarantine.count(path, subject), quarantine.erase(path, subject)) == (0, 0)
    assert path.exists() == (content is not None)


def test_a_damaged_quarantine_does_not_stop_the_erasure(erasure_scenario: ErasureScenario) -> None:
    store_asha_history(erasure_scenario)
    folder = quarantine.spool_dir(erasure_scenario.environ)
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(b"no database" * 1000)

    done = forget(erasure_scenario.environ, ASHA, "--yes")

    assert done.returncode == 1
    assert f"{folder / FILE_NAME} cannot be searched" in done.stderr
    assert "On this and every other host" in done.stdout
    assert erasure_scenario.find_words(*ERASED_WORDS) == []


def test_ingest_keeps_webhooks_during_the_erasure(
    erasure_scenario: ErasureScenario, redis_url: str, tmp_path: Path
) -> None:
    """The erasure also reaches webhooks that ingest has in memory when the command starts. None of others is lost."""
    file = QuarantineFile(quarantine.path(erasure_scenario.environ))
    stopping = threading.Event()
    sent = list(ABOUT_RAVI)

    def post(body: bytes) -> None:
        assert ingest.post_webhook(body, {"X-Webhook-Signature": sign(body, "guessed")}).status == 401

    def post_until_stopped() -> None:
        while not stopping.wait(0.02):
            sent.append(message_event("meanwhile", len(sent), RAVI))
            post(sent[-1])

    with IngestProcess(redis_url, tmp_path) as ingest:
        for body in ABOUT_RAVI:
            post(body)
        wait_until(lambda: kept(file) == ABOUT_RAVI)
        posting = threading.Thread(target=post_until_stopped)
        posting.start()
        for number in range(100):
            post(message_event("zebra", 1000 + number))
        done = forget(erasure_scenario.environ, ASHA, "--yes")
        stopping.set()
        posting.join()
        wait_until(lambda: len(kept(file)) == len(sent))

        assert ingest.stop() == 0
        log = ingest.log

    assert "       100 webhooks erased" in done.stdout
    assert sorted(kept(file)) == sorted(sent)
    assert b"zebra" not in file.path.read_bytes()
    assert "cannot be used" not in log
