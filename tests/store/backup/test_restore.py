"""A restore either creates a usable database from a backup or changes nothing."""

import os
import re
import uuid
from pathlib import Path

import psycopg
import pytest

from dev.embedded.servers import EmbeddedServers
from store.backup import archive, restore
from store.backup import dump as backup_dump
from store.backup.archive import BackupArchive
from store.postgres import client_programs, connections, migrator
from store.postgres.client_programs import ProgramError
from store.reading import change_feed
from store.search_index import search_index
from tests.support.generated_history import batches
from tests.support.history.backups import (
    fetch_rows,
    run_store_command,
    schema_objects,
    table_contents,
    table_names,
)
from tests.support.servers.databases import run_admin


def test_a_restore_restores_everything(populated_url: str, empty_url: str, tmp_path: Path) -> None:
    """A backup must contain every row, index and function."""
    file = tmp_path / "history.backup"
    made, words = run_store_command("backup", file, url=populated_url)
    restored, said = run_store_command("restore", file, url=empty_url)

    assert (made, restored) == (0, 0), words + said
    assert file.stat().st_mode & 0o777 == 0o600, "it holds what strangers wrote"
    assert table_contents(empty_url) == table_contents(populated_url)
    assert schema_objects(empty_url) == schema_objects(populated_url)
    assert sorted(fetch_rows(empty_url, "SELECT name FROM migrations")) == sorted(
        fetch_rows(populated_url, "SELECT name FROM migrations")
    )
    assert [line for line in words.splitlines() if "stored" in line] == [
        line for line in said.splitlines() if " stored " in line
    ]
    assert run_store_command("migrate", url=empty_url) == (0, "nothing to apply: the database is up to date\n")


def test_a_restore_works_on_a_server_with_lower_transaction_ids(
    populated_url: str, empty_url: str, tmp_path: Path
) -> None:
    """A new server has run about a thousand transactions, whereas the old one may have run a billion."""
    with connections.open(populated_url, "test") as connection:
        for statement in (
            "UPDATE changes SET xid = (xid::text::bigint + 1000000000000)::text::xid8",
            "UPDATE search_index_position SET xid = (xid::text::bigint + 1000000000000)::text::xid8",
            "UPDATE feed_floor SET xid = '1000000000000'",
            "UPDATE whatsapp_messages SET created_xid = (created_xid::text::bigint + 1000000000000)::text::xid8",
        ):
            connection.execute(statement.encode())
    backup_dump.create(populated_url, tmp_path / "file", os.environ, print)
    restore.restore(empty_url, tmp_path / "file", os.environ, print, replace=False)

    with connections.open(empty_url, "test") as connection:
        epoch, now = change_feed.current_position(connection)
        batches.store_batches(connection, list(batches.generate_batches(40, seed=3)))
        page = change_feed.read(connection, now, 1000)
        assert (page.epoch, page.is_pruned) == (epoch, False)
        assert len(page.entries) > 10
        while search_index.advance(connection, 1000):
            pass
    # Everything can be found, including messages that were not indexed before the backup and those that came later.
    texts = "FROM whatsapp_messages WHERE deleted_at IS NULL AND concat_ws('', message_text, caption, file_name) <> ''"
    assert fetch_rows(empty_url, "SELECT id FROM search_index ORDER BY 1") == fetch_rows(
        empty_url, f"SELECT id {texts} ORDER BY 1"
    )
    assert fetch_rows(empty_url, "SELECT count(*) > 50 FROM search_index") == [(True,)]
    seen = "SELECT bool_and(pg_visible_in_snapshot(created_xid, pg_current_snapshot())) FROM whatsapp_messages"
    assert fetch_rows(empty_url, seen) == [(True,)]


def test_an_ordinary_role_that_owns_its_database_is_enough(servers: EmbeddedServers, tmp_path: Path) -> None:
    """Managed servers do not grant superuser rights."""
    role = f"ordinary_{uuid.uuid4().hex}"
    names = [f"{role}_from", f"{role}_to"]
    run_admin(servers, "CREATE ROLE {} LOGIN", role)
    for name in names:
        run_admin(servers, "CREATE DATABASE {} OWNER {}", name, role)
    old, new = (servers.postgres.url_of(name).replace("//app@", f"//{role}@") for name in names)
    migrator.migrate(old)
    with connections.open(old, "test") as connection:
        batches.store_batches(connection, list(batches.generate_batches(40)))
    backup_dump.create(old, tmp_path / "file", os.environ, print)
    for replace in (False, True):
        restore.restore(new, tmp_path / "file", os.environ, print, replace=replace)

    assert fetch_rows(new, "SELECT current_user::text, usesuper FROM pg_user WHERE usename = current_user") == [
        (role, False)
    ]
    assert table_contents(new) == table_contents(old)
    for name in names:
        run_admin(servers, "DROP DATABASE {} WITH (FORCE)", name)
    run_admin(servers, "DROP ROLE {}", role)


def test_a_database_with_tables_is_replaced_only_with_yes(
    populated_url: str, second_database_url: str, tmp_path: Path
) -> None:
    """A restore into the wrong database is worse than the problem that it was meant to solve."""
    backup_dump.create(populated_url, tmp_path / "file", os.environ, print)
    with connections.open(second_database_url, "test") as connection:
        batches.store_batches(connection, list(batches.generate_batches(40, seed=7)))
        connection.execute("CREATE TABLE foreign_table AS SELECT 1 AS one")
        connection.execute("CREATE VIEW of_messages AS SELECT m.id, m.created_xid FROM whatsapp_messages AS m")
    before = table_contents(second_database_url)

    refused, said = run_store_command("restore", tmp_path / "file", url=second_database_url)
    assert refused == 2
    assert "--yes" in said
    assert table_contents(second_database_url) == before

    replaced, said = run_store_command("restore", tmp_path / "file", "--yes", url=second_database_url)
    assert replaced == 0, said
    assert table_contents(second_database_url) == table_contents(populated_url)


def test_people_erased_after_the_backup_are_erased_again(populated_url: str, empty_url: str, tmp_path: Path) -> None:
    """A backup contains everybody, but the list beside the key contains those who asked for erasure."""
    [(address,)] = fetch_rows(
        populated_url, "SELECT address FROM chats WHERE kind = 'phone' AND last_id IS NOT NULL LIMIT 1"
    )
    home = {"DATA_DIR": str(tmp_path / "home")}
    backup_dump.create(populated_url, tmp_path / "file", os.environ, print)
    code, said = run_store_command("forget", address, "--yes", url=populated_url, **home)
    assert code == 0, said

    code, said = run_store_command("restore", tmp_path / "file", url=empty_url, **home)

    assert code == 0, said
    assert "again" in said
    holders = [
        table
        for table in table_names(empty_url)
        if fetch_rows(empty_url, f"SELECT 1 FROM {table} AS t WHERE t::text LIKE '%{address}%' LIMIT 1")
    ]
    assert holders == []


def test_without_the_suppression_key_the_database_is_not_served(
    populated_url: str, empty_url: str, tmp_path: Path
) -> None:
    """The backup shows that people were erased, but without the key nobody can tell who they are."""
    [(address,)] = fetch_rows(
        populated_url, "SELECT address FROM chats WHERE kind = 'phone' AND last_id IS NOT NULL LIMIT 1"
    )
    assert run_store_command("forget", address, "--yes", url=populated_url, DATA_DIR=str(tmp_path / "home"))[0] == 0
    backup_dump.create(populated_url, tmp_path / "file", os.environ, print)

    code, said = run_store_command("restore", tmp_path / "file", url=empty_url, DATA_DIR=str(tmp_path / "elsewhere"))
    assert code == 2
    assert "FORGET_KEY" in said
    with connections.open(empty_url, "test") as connection:
        assert migrator.missing(connection), "no process is ready on it"

    code, said = run_store_command(
        "restore", tmp_path / "file", "--yes", url=empty_url, DATA_DIR=str(tmp_path / "home")
    )
    assert code == 0, said
    with connections.open(empty_url, "test") as connection:
        assert migrator.missing(connection) == []


@pytest.mark.parametrize("damage", ["cut", "other bytes", "no archive", "missing"])
def test_a_damaged_file_is_refused_before_anything_is_dropped(populated_url: str, tmp_path: Path, damage: str) -> None:
    """If the file is damaged, the current database is the only copy."""
    file = tmp_path / "file"
    backup_dump.create(populated_url, file, os.environ, print)
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
    before = table_contents(populated_url)

    code, said = run_store_command("restore", file, "--yes", url=populated_url)

    assert code == 2, said
    assert re.search(r"^restore: \S", said, re.MULTILINE), "a sentence"
    assert "Traceback" not in said
    assert table_contents(populated_url) == before


def test_a_backup_of_another_database_is_refused(empty_url: str, tmp_path: Path) -> None:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE recipes (name text)")
    dump = client_programs.find("pg_dump", connection_major(empty_url))
    client_programs.run(dump, ["--format=custom", f"--file={tmp_path / 'file'}", f"--dbname={empty_url}"], os.environ)

    code, said = run_store_command("restore", tmp_path / "file", "--yes", url=empty_url)

    assert code == 2
    assert "another database" in said
    assert table_names(empty_url) == ["recipes"]


def test_a_backup_of_a_newer_version_is_refused(populated_url: str, empty_url: str, tmp_path: Path) -> None:
    """This version cannot use the tables of a newer one."""
    fetch_rows(populated_url, "INSERT INTO migrations (name) VALUES ('9999_later.sql') RETURNING name")
    backup_dump.create(populated_url, tmp_path / "file", os.environ, print)

    code, said = run_store_command("restore", tmp_path / "file", url=empty_url)

    assert code == 2
    assert "9999_later.sql" in said
    assert table_names(empty_url) == []


def test_a_backup_from_a_newer_postgresql_is_refused(populated_url: str, tmp_path: Path) -> None:
    made = backup_dump.create(populated_url, tmp_path / "file", os.environ, print)
    program = client_programs.find("pg_restore", made.server_major)
    found = archive.inspect(made.path, program, os.environ)

    with pytest.raises(ProgramError, match="PostgreSQL 18 or newer"):
        restore.require_compatible(BackupArchive(found.path, 18, found.migrations, found.restore_list), 17)


def connection_major(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.info.server_version // 10000
