"""A backup is one snapshot in one file."""

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
from tests.support.generated_history import batches
from tests.support.history.backups import fetch_rows, run_store_command, table_contents
from tests.support.project import documentation
from tests.support.waiting import wait_until


def test_the_documented_commands_work(populated_url: str, empty_url: str, tmp_path: Path) -> None:
    """Operators paste the commands of docs/keeping.md during an incident."""
    lines = documentation.tested_commands("docs/keeping.md", "tests/store/backup/test_dump.py")
    environment = {"DATABASE_URL": populated_url, "NEW_DATABASE_URL": empty_url, "BACKUPS": str(tmp_path)}
    done = subprocess.run(
        ["/bin/sh", "-ec", lines], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert table_contents(empty_url) == table_contents(populated_url)


def test_a_backup_is_one_snapshot_while_others_write(populated_url: str, empty_url: str, tmp_path: Path) -> None:
    """The printed ledger is that of the backup, whatever is written before pg_dump reads the tables."""
    waits = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'backup' AND wait_event_type = 'Lock'"
    before = table_contents(populated_url)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(populated_url) as holding:
        holding.execute("LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE")
        making = pool.submit(dump.create, populated_url, tmp_path / "one", os.environ, print)
        wait_until(lambda: fetch_rows(populated_url, waits))
        with connections.open(populated_url, "test") as connection:
            for batch in batches.generate_batches(60, seed=2):
                batches.store_batches(connection, [batch])
        holding.rollback()
        made = making.result()
    restored = restore.restore(empty_url, tmp_path / "one", os.environ, print, replace=False)

    assert table_contents(populated_url) != before
    assert table_contents(empty_url) == before
    assert (restored.totals.stored, restored.totals.received) == (made.totals.stored, made.totals.received)
    assert restored.totals.received == fetch_rows(empty_url, "SELECT sum(size)::int FROM batches")[0][0]


def test_an_existing_file_is_never_overwritten(database_url: str, tmp_path: Path) -> None:
    """A mistyped name may be that of the only backup."""
    file = tmp_path / "only"
    file.write_text("the only one")

    code, said = run_store_command("backup", file, url=database_url)

    assert (code, file.read_text()) == (2, "the only one")
    assert "never overwritten" in said
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_backup_leaves_no_file(empty_url: str, tmp_path: Path) -> None:
    """An incomplete backup under its final name would look like a complete one."""
    code, said = run_store_command("backup", tmp_path / "none", url=empty_url)

    assert code == 2, said
    assert "no history" in said
    assert list(tmp_path.iterdir()) == []


def test_a_terminated_backup_leaves_no_file_and_no_process(populated_url: str, tmp_path: Path) -> None:
    """SIGTERM arrives when a container stops or a cron job takes too long."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'backup' AND wait_event_type = 'Lock'"
    with psycopg.connect(populated_url) as holding:
        holding.execute("LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE")
        making = subprocess.Popen(
            [sys.executable, "-m", "store", "backup", str(tmp_path / "file")],
            env=os.environ | {"DATABASE_URL": populated_url},
            cwd=ROOT,
        )
        wait_until(lambda: fetch_rows(populated_url, waiting))
        assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
        making.terminate()

        assert making.wait(30) == 2
        assert list(tmp_path.iterdir()) == []
        wait_until(
            lambda: not fetch_rows(populated_url, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'backup'")
        )


def test_programs_older_than_the_server_are_not_used() -> None:
    """pg_dump only reports that versions differ, whereas our message says what to install."""
    with pytest.raises(ProgramError, match="install pg_dump 99 or newer"):
        client_programs.find("pg_dump", 99)


def test_no_password_is_on_a_command_line() -> None:
    """Every user of a machine can read the arguments of all its processes."""
    target = client_programs.connection_target(
        "postgresql://app:hunter2-made-up@db.example:5433/history?sslmode=require", "backup", {}
    )

    assert "hunter2" not in target.dbname
    assert target.environment["PGPASSWORD"] == "hunter2-made-up"
    assert "db.example" in target.dbname
    assert "sslmode=require" in target.dbname
