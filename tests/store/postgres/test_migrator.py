"""Migrations run while others read and write. They give way, wait for each other, and can be repeated."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dev.embedded.servers import EmbeddedServers
from store.postgres import migrator
from store.postgres.errors import TransientError
from tests.support.servers.databases import run_admin
from tests.support.waiting import wait_until

COLUMN = "ALTER TABLE things ADD COLUMN colour text;"
INDEX = "-- outside a transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS things_by_size ON things (size);"


@pytest.fixture
def empty_url(servers: EmbeddedServers) -> Iterator[str]:
    """The URL of a database without any table but `things`."""
    run_admin(servers, "CREATE DATABASE {}", "to_migrate")
    url = servers.postgres.url_of("to_migrate")
    rows(url, "CREATE TABLE things AS SELECT n AS size FROM generate_series(1, 1000) AS n")
    yield url
    run_admin(servers, "DROP DATABASE {} WITH (FORCE)", "to_migrate")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


class Migrating:
    """A migrator that runs in a thread."""

    def __init__(self, url: str, folder: Path) -> None:
        self.applied: list[str] | None = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(url, folder), daemon=True)
        self._thread.start()

    def _run(self, url: str, folder: Path) -> None:
        try:
            self.applied = migrator.migrate(url, folder=folder, lock_wait=30)
        except TransientError as error:
            self.error = error

    def end(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()


def waits(url: str) -> bool:
    """Return whether a migrator waits for a lock in PostgreSQL."""
    return bool(
        rows(url, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'migrate' AND wait_event_type = 'Lock'")
    )


def indexes(url: str) -> list[tuple[Any, ...]]:
    return rows(
        url,
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid = 'things'::regclass ORDER BY 1",
    )


def test_a_migration_gives_way_and_tries_again(empty_url: str, folder: Path) -> None:
    """All writers wait behind a pending exclusive lock, so one long report would block them."""
    (folder / "0001_colour.sql").write_text(COLUMN)
    with psycopg.connect(empty_url) as reader:
        reader.execute("SELECT 1 FROM things")
        migrating = Migrating(empty_url, folder)
        wait_until(lambda: waits(empty_url))
        wait_until(lambda: not waits(empty_url))
        assert migrating.applied is None
    migrating.end()

    assert migrating.applied == ["0001_colour.sql"]
    assert rows(empty_url, "SELECT colour FROM things LIMIT 1") == [(None,)]


def test_a_migration_that_never_gets_its_lock_says_so_and_leaves_nothing(empty_url: str, folder: Path) -> None:
    (folder / "0001_colour.sql").write_text("CREATE TABLE before (a int);" + COLUMN)
    with psycopg.connect(empty_url) as reader:
        reader.execute("SELECT 1 FROM things")
        with pytest.raises(TransientError, match="55P03"):
            migrator.migrate(empty_url, folder=folder, lock_wait=0.5)

    assert rows(empty_url, "SELECT to_regclass('before'), (SELECT count(*) FROM migrations)") == [(None, 0)]


def test_a_second_migrator_waits_for_an_index_that_is_built_beside_writers(empty_url: str, folder: Path) -> None:
    """If a migrator waited inside PostgreSQL, the index would wait for it in turn, which is a deadlock."""
    (folder / "0001_index.sql").write_text(INDEX)
    with psycopg.connect(empty_url) as writer:
        writer.execute("INSERT INTO things VALUES (0)")
        first = Migrating(empty_url, folder)
        wait_until(lambda: waits(empty_url))
        second = Migrating(empty_url, folder)
        rows(empty_url, "INSERT INTO things VALUES (-1)")
        wait_until(
            lambda: len(rows(empty_url, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'migrate'")) == 2
        )
    first.end()
    second.end()

    assert (first.applied, second.applied) == (["0001_index.sql"], [])
    assert indexes(empty_url) == [("things_by_size", True)]


def test_an_index_whose_build_was_interrupted_is_built_again(empty_url: str, folder: Path) -> None:
    """Every writer updates an invalid index, but no query uses it."""
    (folder / "0001_index.sql").write_text(INDEX)
    with psycopg.connect(empty_url) as writer:
        writer.execute("INSERT INTO things VALUES (0)")
        migrating = Migrating(empty_url, folder)
        wait_until(lambda: waits(empty_url))
        rows(empty_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'migrate'")
        migrating.end()
    assert migrating.error is not None
    assert indexes(empty_url) == [("things_by_size", False)]

    assert migrator.migrate(empty_url, folder=folder) == ["0001_index.sql"]
    assert indexes(empty_url) == [("things_by_size", True)]


@pytest.mark.parametrize("statement", ["CREATE INDEX things_by_size ON things (size)", "UPDATE things SET size = 1"])
def test_statements_that_cannot_be_repeated_are_refused_outside_a_transaction(
    empty_url: str, folder: Path, statement: str
) -> None:
    (folder / "0001_unfit.sql").write_text(f"-- outside a transaction\n{statement};")
    with pytest.raises(migrator.UnrepeatableMigrationError, match="0001_unfit"):
        migrator.migrate(empty_url, folder=folder)

    assert rows(empty_url, "SELECT count(*) FROM migrations") == [(0,)]


def test_older_code_does_not_migrate_a_newer_database(database_url: str, folder: Path) -> None:
    with pytest.raises(migrator.UnknownMigrationError, match="run a newer version"):
        migrator.migrate(database_url, folder=folder)
