"""Erasing takes its time: it is killed, goes on beside workers, and is done again after a restore."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from dev.checkout import ROOT
from dev.embedded.servers import Servers
from store.erasure import jobs, requests
from store.postgres import connections
from store.postgres.errors import TransientError
from tests.store.replay.test_concurrency import patiently
from tests.support import documentation
from tests.support.erasure_scenario import (
    ASHA,
    LID,
    RAVI,
    SESSION,
    THEIRS,
    House,
    everything_of_asha,
    in_group,
    message,
    now,
)
from tests.support.generated_history import world


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "store", "forget", *arguments]


def environment(house: House) -> dict[str, str]:
    return {**os.environ, "FORGET_KEY": "", **house.environ}


def test_the_command_counts_first_and_erases_when_told_to(house: House) -> None:
    """A number mistyped erases a stranger: what would go is said before, and nothing else is printed of it."""
    everything_of_asha(house)

    spelled = f"+{ASHA[:2]} {ASHA[2:7]}-{ASHA[7:]}"
    counted = subprocess.run(
        command(spelled), env=environment(house), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert house.holds(*THEIRS) == list(THEIRS)
    done = subprocess.run(
        command(spelled, "--yes"), env=environment(house), cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "nothing was" in counted.stdout
    assert "5 messages" in counted.stdout
    assert "5 messages" in done.stdout
    assert house.holds(*THEIRS) == []
    assert not [word for word in THEIRS if word in counted.stdout + done.stdout]
    assert house.keeping.key_file.stat().st_mode & 0o777 == 0o600
    assert ASHA not in house.keeping.list_file.read_text()
    said = house.rows("SELECT caller, method, status FROM audit WHERE caller = %s", requests.CALLER)
    assert said == [("python -m store forget", "FORGET", 200)]


def test_the_lines_of_the_documentation_do_it(house: House) -> None:
    """docs/keeping.md is what somebody pastes who answers a request with a legal deadline."""
    everything_of_asha(house)
    lines = documentation.tested("docs/keeping.md", "tests/store/erasure/test_interruption.py")
    assert lines.count("store forget") == 3

    subprocess.run(["/bin/sh", "-ec", lines], env=environment(house), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    assert house.holds(*THEIRS) == []


def test_what_was_killed_midway_goes_on_where_it_was(house: House) -> None:
    """kill -9 at whatever step: nothing is half erased, and the next run, or a worker, erases the rest."""
    everything_of_asha(house)
    house.tell(*(message(f"zebra one {number}", number) for number in range(100, 700)))
    before = house.counted()
    with psycopg.connect(house.url, autocommit=True) as connection:
        connection.execute(
            """
            CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_sleep(0.2);
                RETURN NEW;
            END $$;
            CREATE TRIGGER slowly AFTER UPDATE ON erasures FOR EACH ROW EXECUTE FUNCTION slowly();
            """
        )
    running = subprocess.Popen(command(ASHA, "--yes"), env=environment(house), cwd=ROOT)
    end = time.monotonic() + 60
    while not house.rows("SELECT 1 FROM erasures WHERE stage = 'messages' AND done > 0"):
        assert time.monotonic() < end
        assert running.poll() is None
        time.sleep(0.02)
    running.kill()
    running.wait()
    left = len(house.texts())
    assert left > 4, "it was midway"
    house.rows("DROP TRIGGER slowly ON erasures")

    house.erase()

    assert house.holds(*THEIRS) == []
    assert house.counted() == before
    assert len(house.texts()) == 4
    assert house.rows("SELECT count(*) FROM erasures") == [(0,)]


def test_workers_go_on_beside_it(house: House) -> None:
    """Nobody stops a system for one person: what others write is kept, and of hers nothing that was sent before."""
    everything_of_asha(house)
    at = now() - 1
    hers = [
        house.batch([message(f"zebra one {n}", n), in_group(f"zebra two {n}", n + 500)], at) for n in range(100, 140)
    ]
    others = [
        house.batch([message(f"hi {n}", n, RAVI), in_group(f"hi all {n}", n + 500, RAVI)], at)
        for n in range(1000, 1040)
    ]
    failures: list[Exception] = []

    def work(share: int) -> None:
        mine = [batch for pair in zip(hers, others, strict=True) for batch in pair][share::2]
        for batch in mine:
            try:
                patiently(lambda batch=batch: house.drain([batch]))
            except TransientError as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=[share]) for share in range(2)]
    for thread in threads:
        thread.start()
    house.forget(ASHA)
    for thread in threads:
        thread.join()

    assert failures == []
    assert house.holds(*THEIRS) == []
    assert len(house.texts()) == 4 + 80
    counted = house.counted()
    assert counted["stored"] + counted["forgotten"] == 12 + 160
    assert house.replay(dry=True) == {}


def test_after_a_restore_from_an_older_backup_they_are_forgotten_again(
    house: House, servers: Servers, database_url: str
) -> None:
    """The backup knows neither that she is forgotten nor that the LID is hers; the list beside the key does."""
    everything_of_asha(house)
    house.tell(message("zebra two", 30, world.LID_OF_RAVI))
    copy = sql.Identifier(f"{database_url.rpartition('/')[2].partition('?')[0]}_restored")
    original = sql.Identifier(database_url.rpartition("/")[2].partition("?")[0])
    with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(copy, original))
    try:
        before = house.counted()
        house.forget(ASHA)
        house.forget(world.LID_OF_RAVI)
        restored = House(servers.postgres.url_of(copy.as_string().strip('"')), Path(house.environ["DATA_DIR"]))
        restored.received = sum(before.values())
        assert restored.holds(*THEIRS) == list(THEIRS)

        with connections.open(restored.url, "restore") as connection:
            assert requests.reapply(connection, restored.environ) == 3
            assert requests.reapply(connection, restored.environ) == 3

        assert restored.holds(*THEIRS, world.LID_OF_RAVI) == []
        assert restored.texts() == ["hello from ravi", "ravi in the group", "see above", "ravi again"]
        assert restored.counted() == before
        late = restored.drain([restored.batch([message("zebra one", 77)], now() - 60_000)])
        assert late == {"forgotten": 1}
    finally:
        with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(copy))


def test_two_at_once_share_the_work(house: House) -> None:
    """A worker erases between drains, and so does the command: neither waits for the other, nor does it twice."""
    everything_of_asha(house)
    house.record(ASHA)
    house.record(LID, SESSION)

    threads = [threading.Thread(target=house.erase) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with connections.open(house.url, "test") as connection:
        assert not jobs.wanted(connection)
    assert house.holds(*THEIRS) == []


@pytest.mark.parametrize("arguments", [(), ("nobody",), ("--reapply", ASHA), (RAVI,)])
def test_what_names_nobody_or_ourselves_is_refused(house: House, arguments: tuple[str, ...]) -> None:
    """Whoever forgets to say whom must not find out by what is gone."""
    done = subprocess.run(
        command(*arguments, "--yes"),
        env={**environment(house), "SAK_PHONE": f"+{RAVI}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("store: ")
