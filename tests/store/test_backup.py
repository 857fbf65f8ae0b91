"""A backup is one moment in one file, and a restore makes a database of it that everybody can go on with."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dev.process import ROOT
from dev.servers import Servers
from store import archive, backup, connect, migrate, programs, restore
from store.archive import Archive
from store.programs import ProgramError
from tests import page
from tests.conftest import execute
from tests.store import mixed

OWN = {"changes", "epoch", "feed_floor", "migrations", "pulse", "searchable_upto"}
"""Tables in which a restored database differs from what was backed up, and has to."""


@pytest.fixture
def empty_url(servers: Servers) -> Iterator[str]:
    """A database with nothing in it."""
    name = f"empty_{uuid.uuid4().hex}"
    execute(servers, "CREATE DATABASE {}", name)
    yield servers.postgres.url_of(name)
    execute(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def told(database_url: str) -> str:
    """A database with a history in it."""
    with connect.open(database_url, "test") as connection:
        for batch in mixed.told(150):
            mixed.keep(connection, [batch])
    return database_url


def command(*arguments: object, url: str, **environment: str) -> tuple[int, str]:
    """The exit code of `python -m store …`, and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "store", *map(str, arguments)],
        env=os.environ | {"DATABASE_URL": url} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def tables(url: str) -> list[str]:
    return [
        name for (name,) in rows(url, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    ]


def contents(url: str) -> dict[str, list[Any]]:
    """Every row of every table that a restore leaves as it was."""
    found: dict[str, list[Any]] = {}
    for table in set(tables(url)) - OWN:
        rest = "to_jsonb(t) - 'born'"
        found[table] = [row for (row,) in rows(url, f"SELECT {rest} FROM {table} AS t ORDER BY ({rest})::text")]
    return found


def structure(url: str) -> list[tuple[Any, ...]]:
    """Columns, indexes, constraints and functions, whatever their order."""
    return rows(
        url,
        """
        SELECT c.relname::text, 'column', a.attname::text, format_type(a.atttypid, a.atttypmod) || a.attnotnull
            || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid AND c.relnamespace = 'public'::regnamespace
        LEFT JOIN pg_attrdef AS d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        WHERE a.attnum > 0 AND NOT a.attisdropped
        UNION ALL SELECT tablename::text, 'index', indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT conrelid::regclass::text, 'constraint', conname::text, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT '', 'function', oid::regprocedure::text, md5(prosrc)
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        ORDER BY 1, 2, 3, 4
        """,
    )


def test_what_was_backed_up_is_what_is_restored(told: str, empty_url: str, tmp_path: Path) -> None:
    """Every row, every index, every function: a backup that lacks one of them is found out on the worst of days."""
    file = tmp_path / "history.backup"
    made, words = command("backup", file, url=told)
    restored, said = command("restore", file, url=empty_url)

    assert (made, restored) == (0, 0), words + said
    assert file.stat().st_mode & 0o777 == 0o600, "it holds what strangers wrote"
    assert contents(empty_url) == contents(told)
    assert structure(empty_url) == structure(told)
    assert sorted(rows(empty_url, "SELECT name FROM migrations")) == sorted(rows(told, "SELECT name FROM migrations"))
    assert [line for line in words.splitlines() if "stored" in line] == [
        line for line in said.splitlines() if " stored " in line
    ]
    assert command("migrate", url=empty_url) == (0, "nothing to apply: the database is up to date\n")


def test_the_lines_of_the_documentation_do_it(told: str, empty_url: str, tmp_path: Path) -> None:
    """docs/keeping.md is what somebody pastes on a bad day."""
    lines = page.tested("docs/keeping.md", "tests/store/test_backup.py")
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
        making = pool.submit(backup.make, told, tmp_path / "one", os.environ, print)
        until(lambda: rows(told, waits))
        with connect.open(told, "test") as connection:
            for batch in mixed.told(60, seed=2):
                mixed.keep(connection, [batch])
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


def test_an_ordinary_role_that_owns_its_database_is_enough(servers: Servers, tmp_path: Path) -> None:
    """Nobody is a superuser on a server that somebody else runs."""
    role = f"ordinary_{uuid.uuid4().hex}"
    names = [f"{role}_from", f"{role}_to"]
    execute(servers, "CREATE ROLE {} LOGIN", role)
    for name in names:
        execute(servers, "CREATE DATABASE {} OWNER {}", name, role)
    old, new = (servers.postgres.url_of(name).replace("//app@", f"//{role}@") for name in names)
    migrate.migrate(old)
    with connect.open(old, "test") as connection:
        mixed.keep(connection, list(mixed.told(40)))
    backup.make(old, tmp_path / "file", os.environ, print)
    for replace in (False, True):
        restore.restore(new, tmp_path / "file", os.environ, print, replace=replace)

    assert rows(new, "SELECT current_user::text, usesuper FROM pg_user WHERE usename = current_user") == [(role, False)]
    assert contents(new) == contents(old)
    for name in names:
        execute(servers, "DROP DATABASE {} WITH (FORCE)", name)
    execute(servers, "DROP ROLE {}", role)


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


def test_a_database_with_something_in_it_is_replaced_only_when_told(
    told: str, another_database_url: str, tmp_path: Path
) -> None:
    """A restore into the wrong database is worse than what it was to repair."""
    backup.make(told, tmp_path / "file", os.environ, print)
    with connect.open(another_database_url, "test") as connection:
        mixed.keep(connection, list(mixed.told(40, seed=7)))
        connection.execute("CREATE TABLE somebody_elses AS SELECT 1 AS one")
        connection.execute("CREATE VIEW of_messages AS SELECT m.id, m.born FROM whatsapp_messages AS m")
    before = contents(another_database_url)

    refused, said = command("restore", tmp_path / "file", url=another_database_url)
    assert refused == 2
    assert "--yes" in said
    assert contents(another_database_url) == before

    replaced, said = command("restore", tmp_path / "file", "--yes", url=another_database_url)
    assert replaced == 0, said
    assert contents(another_database_url) == contents(told)


def test_who_was_forgotten_after_the_backup_is_forgotten_again(told: str, empty_url: str, tmp_path: Path) -> None:
    """A backup remembers everybody; the list beside the key remembers who asked not to be."""
    [(address,)] = rows(told, "SELECT address FROM chats WHERE kind = 'phone' AND last_id IS NOT NULL LIMIT 1")
    home = {"DATA_DIR": str(tmp_path / "home")}
    backup.make(told, tmp_path / "file", os.environ, print)
    code, said = command("forget", address, "--yes", url=told, **home)
    assert code == 0, said

    code, said = command("restore", tmp_path / "file", url=empty_url, **home)

    assert code == 0, said
    assert "again" in said
    holders = [
        table
        for table in tables(empty_url)
        if rows(empty_url, f"SELECT 1 FROM {table} AS t WHERE t::text LIKE '%{address}%' LIMIT 1")
    ]
    assert holders == []


def test_without_the_key_to_who_is_forgotten_nobody_is_served(told: str, empty_url: str, tmp_path: Path) -> None:
    """The backup says that people were forgotten, and nobody here can tell who: better no database than theirs."""
    [(address,)] = rows(told, "SELECT address FROM chats WHERE kind = 'phone' AND last_id IS NOT NULL LIMIT 1")
    assert command("forget", address, "--yes", url=told, DATA_DIR=str(tmp_path / "home"))[0] == 0
    backup.make(told, tmp_path / "file", os.environ, print)

    code, said = command("restore", tmp_path / "file", url=empty_url, DATA_DIR=str(tmp_path / "elsewhere"))
    assert code == 2
    assert "FORGET_KEY" in said
    with connect.open(empty_url, "test") as connection:
        assert migrate.missing(connection), "no process is ready on it"

    code, said = command("restore", tmp_path / "file", "--yes", url=empty_url, DATA_DIR=str(tmp_path / "home"))
    assert code == 0, said
    with connect.open(empty_url, "test") as connection:
        assert migrate.missing(connection) == []


@pytest.mark.parametrize("damage", ["cut", "other bytes", "no archive", "missing"])
def test_a_damaged_file_is_found_out_before_anything_is_dropped(told: str, tmp_path: Path, damage: str) -> None:
    """Whoever restores needs what the database has now all the more if the file turns out to be worth nothing."""
    file = tmp_path / "file"
    backup.make(told, file, os.environ, print)
    whole = file.read_bytes()
    if damage == "cut":
        file.write_bytes(whole[: len(whole) * 2 // 3])
    elif damage == "other bytes":
        middle = len(whole) * 2 // 3
        file.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    elif damage == "no archive":
        file.write_text("-- SQL\n")
    else:
        file.unlink()
    before = contents(told)

    code, said = command("restore", file, "--yes", url=told)

    assert code == 2, said
    assert said.startswith(("restore: ", "reading the file\nrestore: "))
    assert contents(told) == before


def test_a_backup_of_something_else_is_refused(empty_url: str, tmp_path: Path) -> None:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE recipes (name text)")
    dump = programs.find("pg_dump", connection_major(empty_url))
    programs.run(dump, ["--format=custom", f"--file={tmp_path / 'file'}", f"--dbname={empty_url}"], os.environ)

    code, said = command("restore", tmp_path / "file", "--yes", url=empty_url)

    assert code == 2
    assert "another database" in said
    assert tables(empty_url) == ["recipes"]


def test_a_backup_of_a_newer_version_is_refused(told: str, empty_url: str, tmp_path: Path) -> None:
    """This code would not know what to do with its tables."""
    rows(told, "INSERT INTO migrations (name) VALUES ('9999_later.sql') RETURNING name")
    backup.make(told, tmp_path / "file", os.environ, print)

    code, said = command("restore", tmp_path / "file", url=empty_url)

    assert code == 2
    assert "9999_later.sql" in said
    assert tables(empty_url) == []


def test_a_backup_from_a_newer_postgresql_is_refused(told: str, tmp_path: Path) -> None:
    made = backup.make(told, tmp_path / "file", os.environ, print)
    program = programs.find("pg_restore", made.server)
    found = archive.look(made.path, program, os.environ)

    with pytest.raises(ProgramError, match="needs 18 or newer"):
        restore.fits(Archive(found.path, 18, found.migrations, found.contents), 17)


def test_programs_older_than_the_server_are_not_used() -> None:
    """pg_dump refuses newer servers with a sentence about versions; ours says what to install."""
    with pytest.raises(ProgramError, match="install pg_dump 99 or newer"):
        programs.find("pg_dump", 99)


def test_no_password_is_on_a_command_line() -> None:
    """Everybody on a machine can read the arguments of every process."""
    told = programs.server("postgresql://app:hunter2-made-up@db.example:5433/history?sslmode=require", "backup", {})

    assert "hunter2" not in told.dbname
    assert told.environment["PGPASSWORD"] == "hunter2-made-up"
    assert "db.example" in told.dbname
    assert "sslmode=require" in told.dbname


def test_every_column_that_holds_a_transaction_id_is_dealt_with(database_url: str) -> None:
    """On another server the same number is another time: one that store/aftermath.py forgets is read wrongly."""
    found = rows(
        database_url,
        """
        SELECT c.relname::text, a.attname::text
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
            AND a.atttypid::regtype::text IN ('xid8', 'xid', 'pg_snapshot', 'txid_snapshot', 'pg_lsn')
        ORDER BY 1, 2
        """,
    )

    assert found == [
        ("changes", "xid"),
        ("feed_floor", "xid"),
        ("searchable_upto", "xid"),
        ("whatsapp_messages", "born"),
    ]


def connection_major(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.info.server_version // 10000
