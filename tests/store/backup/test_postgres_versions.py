"""Tests that a backup can be restored into a newer PostgreSQL, but not into an older one."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dev.embedded import binaries
from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.servers import EmbeddedServers
from store.backup import dump, restore
from store.postgres import client_programs, connections, migrator
from store.postgres.client_programs import ProgramError
from tests.support.generated_history import batches


def major_of(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.info.server_version // 10000


@pytest.fixture
def older(servers: EmbeddedServers, server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedPostgres]:
    """A server of an older version than that of the other tests, if the system has one."""
    ours = major_of(servers.postgres.url)
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if int(path.parent.name) < ours]
    if not found:
        pytest.skip(f"no PostgreSQL older than {ours} is here: on Debian, apt-get install postgresql brings one")
    monkeypatch.setattr(binaries, "_postgres_candidates", lambda: iter(found))
    with EmbeddedPostgres(server_folder / "older", ephemeral=True) as server:
        monkeypatch.undo()
        yield server


@pytest.mark.long
def test_a_history_moves_to_a_newer_postgresql_and_not_back(
    older: EmbeddedPostgres, database_url: str, tmp_path: Path
) -> None:
    """A dump and a restore are the usual way to change the major version."""
    migrator.migrate(older.url)
    with connections.open(older.url, "test") as connection:
        for batch in batches.generate_batches(100):
            batches.store_batches(connection, [batch])
    up, down = tmp_path / "up", tmp_path / "down"
    made = dump.create(older.url, up, os.environ, print)
    restored = restore.restore(database_url, up, os.environ, print, replace=True)
    dump.create(database_url, down, os.environ, print)

    assert (made.server_major, made.totals.received) == (major_of(older.url), restored.totals.received)
    assert made.server_major < major_of(database_url)
    assert restored.totals.received > 0
    # An older pg_restore cannot read files of pg_dump 18, and restores into an older server are refused.
    with pytest.raises(ProgramError, match="newer than"):
        restore.restore(older.url, down, os.environ, print, replace=True)
    with connections.open(older.url, "test") as connection, connection.transaction():
        assert connection.execute("SELECT sum(size)::int FROM batches").fetchone() == (restored.totals.received,)
    assert client_programs.find("pg_dump", made.server_major).major >= made.server_major
