"""Erasures can be killed, run beside workers, and are repeated after a restore."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from dev.checkout import ROOT
from dev.embedded.servers import EmbeddedServers
from store.erasure import jobs, requests
from store.postgres import connections
from store.postgres.errors import TransientError
from tests.support.generated_history import world
from tests.support.history.erasure_scenario import (
    ASHA,
    ERASED_WORDS,
    LID,
    RAVI,
    SESSION,
    ErasureScenario,
    group_message_event,
    message_event,
    now_ms,
    store_asha_history,
)
from tests.support.processes import preloaded_python
from tests.support.project import documentation
from tests.support.waiting import retry_transient, wait_until


def environment(scenario: ErasureScenario) -> dict[str, str]:
    return {**os.environ, "FORGET_KEY": "", **scenario.environ}


def forget(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return preloaded_python.run("store", "forget", *arguments, environment=environ)


def test_the_command_counts_and_erases_only_with_yes(erasure_scenario: ErasureScenario) -> None:
    """A mistyped number would erase a stranger, so the command prints counts first, without any content."""
    store_asha_history(erasure_scenario)

    spelled = f"+{ASHA[:2]} {ASHA[2:7]}-{ASHA[7:]}"
    counted = forget(environment(erasure_scenario), spelled)
    assert erasure_scenario.find_words(*ERASED_WORDS) == list(ERASED_WORDS)
    done = forget(environment(erasure_scenario), spelled, "--yes")

    assert (counted.returncode, done.returncode) == (0, 0), counted.stderr + done.stderr
    assert "nothing was" in counted.stdout
    assert "5 messages" in counted.stdout
    assert "5 messages" in done.stdout
    assert erasure_scenario.find_words(*ERASED_WORDS) == []
    erased, _, other_hosts = done.stdout.partition("On every other host")
    assert not [word for word in ERASED_WORDS if word in counted.stdout + erased]
    assert not [word for word in ERASED_WORDS[2:] if word in other_hosts], "a command with her addresses, for pasting"
    assert erasure_scenario.key_store.key_file.stat().st_mode & 0o777 == 0o600
    assert ASHA not in erasure_scenario.key_store.suppression_list_file.read_text()
    said = erasure_scenario.fetch_rows(
        "SELECT caller, method, status FROM audit_log WHERE caller = %s", requests.AUDIT_CALLER
    )
    assert said == [("python -m store forget", "FORGET", 200)]


@pytest.mark.long
def test_the_documented_commands_work(erasure_scenario: ErasureScenario) -> None:
    """Operators paste the commands of docs/keeping.md under a legal deadline."""
    store_asha_history(erasure_scenario)
    lines = documentation.tested_commands("docs/keeping.md", "tests/store/erasure/test_interruption.py")
    assert lines.count("store forget") == 3

    subprocess.run(
        ["/bin/sh", "-ec", lines], env=environment(erasure_scenario), cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )

    assert erasure_scenario.find_words(*ERASED_WORDS) == []


def test_a_killed_erasure_resumes(erasure_scenario: ErasureScenario) -> None:
    """After kill -9 at any step, no message is half erased, and the next run or a worker erases the rest."""
    store_asha_history(erasure_scenario)
    erasure_scenario.receive(*(message_event(f"zebra one {number}", number) for number in range(100, 700)))
    before = erasure_scenario.ledger_counts()
    with psycopg.connect(erasure_scenario.url, autocommit=True) as connection:
        connection.execute(
            """
            CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_advisory_xact_lock(1);
                RETURN NEW;
            END $$;
            CREATE TRIGGER wait_for_the_test AFTER UPDATE ON erasures
            FOR EACH ROW WHEN (OLD.stage = 'messages' AND OLD.last_id > 0) EXECUTE FUNCTION wait_for_the_test();
            SELECT pg_advisory_lock(1);
            """
        )
        running = subprocess.Popen(
            [sys.executable, "-m", "store", "forget", ASHA, "--yes"], env=environment(erasure_scenario), cwd=ROOT
        )
        wait_until(
            lambda: erasure_scenario.fetch_rows("SELECT 1 FROM erasures WHERE stage = 'messages' AND last_id > 0"), 60
        )
        running.kill()
        running.wait()
    left = len(erasure_scenario.message_texts())
    assert left > 4, "it was midway"
    erasure_scenario.fetch_rows("DROP TRIGGER wait_for_the_test ON erasures")

    erasure_scenario.erase()

    assert erasure_scenario.find_words(*ERASED_WORDS) == []
    assert erasure_scenario.ledger_counts() == before
    assert len(erasure_scenario.message_texts()) == 4
    assert erasure_scenario.fetch_rows("SELECT count(*) FROM erasures") == [(0,)]


@pytest.mark.long
def test_workers_write_during_an_erasure(erasure_scenario: ErasureScenario) -> None:
    """Events of others are stored during an erasure, but earlier events of the person are not."""
    store_asha_history(erasure_scenario)
    at = now_ms() - 1
    hers = [
        erasure_scenario.acknowledge(
            [message_event(f"zebra one {n}", n), group_message_event(f"zebra two {n}", n + 500)], at
        )
        for n in range(100, 140)
    ]
    others = [
        erasure_scenario.acknowledge(
            [message_event(f"hi {n}", n, RAVI), group_message_event(f"hi all {n}", n + 500, RAVI)], at
        )
        for n in range(1000, 1040)
    ]
    failures: list[Exception] = []

    def work(share: int) -> None:
        mine = [batch for pair in zip(hers, others, strict=True) for batch in pair][share::2]
        for batch in mine:
            try:
                retry_transient(lambda batch=batch: erasure_scenario.drain([batch]))
            except TransientError as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=[share]) for share in range(2)]
    for thread in threads:
        thread.start()
    erasure_scenario.erase_person(ASHA)
    for thread in threads:
        thread.join()

    assert failures == []
    assert erasure_scenario.find_words(*ERASED_WORDS) == []
    assert len(erasure_scenario.message_texts()) == 4 + 80
    counted = erasure_scenario.ledger_counts()
    assert counted["stored"] + counted["forgotten"] == 12 + 160
    assert erasure_scenario.replay(dry=True) == {}


def test_a_person_is_erased_again_after_a_restore_from_an_older_backup(
    erasure_scenario: ErasureScenario, servers: EmbeddedServers, database_url: str
) -> None:
    """The backup contains neither the erasure nor the LID evidence, but the list beside the key does."""
    store_asha_history(erasure_scenario)
    erasure_scenario.receive(message_event("zebra two", 30, world.LID_OF_RAVI))
    copy = sql.Identifier(f"{database_url.rpartition('/')[2].partition('?')[0]}_restored")
    original = sql.Identifier(database_url.rpartition("/")[2].partition("?")[0])
    with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(copy, original))
    try:
        before = erasure_scenario.ledger_counts()
        erasure_scenario.erase_person(ASHA)
        erasure_scenario.erase_person(world.LID_OF_RAVI)
        restored = ErasureScenario(
            servers.postgres.url_of(copy.as_string().strip('"')), Path(erasure_scenario.environ["DATA_DIR"])
        )
        restored.received = sum(before.values())
        assert restored.find_words(*ERASED_WORDS) == list(ERASED_WORDS)

        with connections.open(restored.url, "restore") as connection:
            # Three addresses, and the phone as dialled within its own country.
            assert requests.reapply(connection, restored.environ) == 4
            assert requests.reapply(connection, restored.environ) == 4

        assert restored.find_words(*ERASED_WORDS, world.LID_OF_RAVI) == []
        assert restored.message_texts() == ["hello from ravi", "ravi in the group", "see above", "ravi again"]
        assert restored.ledger_counts() == before
        late = restored.drain([restored.acknowledge([message_event("zebra one", 77)], now_ms() - 60_000)])
        assert late == {"forgotten": 1}
    finally:
        with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(copy))


def test_two_processes_share_the_erasures(erasure_scenario: ErasureScenario) -> None:
    """A worker and the command erase concurrently, and neither repeats steps of the other."""
    store_asha_history(erasure_scenario)
    erasure_scenario.record_request(ASHA)
    erasure_scenario.record_request(LID, SESSION)

    threads = [threading.Thread(target=erasure_scenario.erase) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with connections.open(erasure_scenario.url, "test") as connection:
        assert not jobs.has_pending(connection)
    assert erasure_scenario.find_words(*ERASED_WORDS) == []


@pytest.mark.parametrize("arguments", [(), ("nobody",), ("--reapply", ASHA), (RAVI,)])
def test_an_invalid_or_own_address_is_refused(erasure_scenario: ErasureScenario, arguments: tuple[str, ...]) -> None:
    """A command without a valid address must erase nothing."""
    done = forget({**environment(erasure_scenario), "SAK_PHONE": f"+{RAVI}"}, *arguments, "--yes")

    assert done.returncode == 2
    assert done.stderr.startswith("store: ")
