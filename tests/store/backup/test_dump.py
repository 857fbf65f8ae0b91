"""A backup is one moment in one file."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from dev.checkout import ROOT
from store.backup import dump, restore
from store.postgres import client_programs, connections
from store.postgres.client_programs import ProgramError
from tests.support import documentation
from tests.support.backups import command, contents, rows, until
from tests.support.generated_history import batches


def test_the_lines_of_the_documentation_do_it(told: str, empty_url: str, tmp_path: Path) -> None:
    """docs/keeping.md is what somebody pastes on a bad day."""
    lines = documentation.tested("docs/keeping.md", "tests/store/backup/test_dump.py")
    environment = {"DATABASE_URL": told, "NEW_DATABASE_URL": empty_url, "BACKUPS": str(tmp_path)}
    done = subprocess.run(
        ["/bin/sh", "-ec", lines], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert contents(empty_url) == contents(told)


def test_a_backup_is_of_one_moment_while_others_write(told: str, empty_url: str, tmp_path: Path) -> None:
    """What it says that it holds is what it holds, however much is written before pg_dump gets to it."""
    waits = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'backup' AND wait_event_type = 'Lock'"
    before = contents(told)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(told) as holding:
        holding.execute("LOCK TABLE audit IN ACCESS EXCLUSIVE MODE")
        making = pool.submit(dump.make, told, tmp_path / "one", os.environ, print)
        until(lambda: rows(told, waits))
        with connections.open(told, "test") as connection:
            for batch in batches.told(60, seed=2):
                batches.keep(connection, [batch])
        holding.rollback()
        made = making.result()
    restored = restore.restore(empty_url, tmp_path / "one", os.environ, print, replace=False)

    assert contents(told) != before
    assert contents(empty_url) == before
    assert (restored.holds.stored, restored.holds.received) == (made.holds.stored, made.holds.received)
    assert restored.holds.received == rows(empty_url, "SELECT sum(size)::int FROM batches")[0][0]


def test_a_file_that_is_there_is_never_overwritten(database_url: str, tmp_path: Path) -> None:
    """The one backup that somebody has may be the file whose name was typed by mistake."""
    file = tmp_path / "only"
    file.write_text("the only one")

    code, said = command("backup", file, url=database_url)

    assert (code, file.read_text()) == (2, "the only one")
    assert "never overwritten" in said
    assert list(tmp_path.iterdir()) == [file]


def test_what_fails_leaves_no_file(empty_url: str, tmp_path: Path) -> None:
    """Half a backup under its full name would be taken for one."""
    code, said = command("backup", tmp_path / "none", url=empty_url)

    assert code == 2, said
    assert "no history" in said
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_is_ended_leaves_no_file_and_nobody_at_work(told: str, tmp_path: Path) -> None:
    """A container that is stopped, a cron job that takes too long: SIGTERM comes in the middle."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'backup' AND wait_event_type = 'Lock'"
    with psycopg.connect(told) as holding:
        holding.execute("LOCK TABLE audit IN ACCESS EXCLUSIVE MODE")
        making = subprocess.Popen(
            [sys.executable, "-m", "store", "backup", str(tmp_path / "file")],
            env=os.environ | {"DATABASE_URL": told},
            cwd=ROOT,
        )
        until(lambda: rows(told, waiting))
        assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
        making.terminate()

        assert making.wait(30) == 2
        assert list(tmp_path.iterdir()) == []
        until(lambda: not rows(told, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'backup'"))


def test_programs_older_than_the_server_are_not_used() -> None:
    """pg_dump refuses newer servers with a sentence about versions; ours says what to install."""
    with pytest.raises(ProgramError, match="install pg_dump 99 or newer"):
        client_programs.find("pg_dump", 99)


def test_no_password_is_on_a_command_line() -> None:
    """Everybody on a machine can read the arguments of every process."""
    told = client_programs.server(
        "postgresql://app:hunter2-made-up@db.example:5433/history?sslmode=require", "backup", {}
    )

    assert "hunter2" not in told.dbname
    assert told.environment["PGPASSWORD"] == "hunter2-made-up"
    assert "db.example" in told.dbname
    assert "sslmode=require" in told.dbname
