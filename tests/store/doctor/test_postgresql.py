"""What can be wrong with PostgreSQL, done to a real one."""

import contextlib
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from dev.checkout import ROOT
from dev.embedded.servers import EmbeddedServers
from store.doctor import indexes, replica
from store.postgres import connections, migrator
from store.retention import partitions
from tests.support.examined_system import ExaminedSystem

LATER = """
    CREATE SCHEMA skewed;
    CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql
        AS 'SELECT pg_catalog.clock_timestamp() + interval ''%s'''
"""
SKEWED = "&options=-csearch_path%3Dskewed%2Cpg_catalog%2Cpublic"
"""A PostgreSQL whose clock_timestamp() is another."""


def test_a_server_that_is_away_is_said_to_be(examined_system: ExaminedSystem) -> None:
    assert examined_system.results(DATABASE_URL="postgresql://app@127.0.0.1:1/x")["postgresql"] == "broken"


def test_migrations_that_lack_and_that_nobody_knows_are_told(examined_system: ExaminedSystem) -> None:
    """A half-upgraded system is not ready, and a downgraded one writes what the other does not expect."""
    last = migrator.available()[-1]
    examined_system.execute("INSERT INTO migrations (name) VALUES ('9999_of_tomorrow.sql')")
    ahead = examined_system.findings()["postgresql.migrations"]
    examined_system.execute("DELETE FROM migrations WHERE name = %s", last)
    behind = examined_system.findings()["postgresql.migrations"]

    assert (ahead.severity, behind.severity) == ("warning", "broken")
    assert "9999_of_tomorrow.sql" in ahead.message
    assert last in behind.message


def test_an_empty_database_is_judged_as_far_as_it_goes(
    servers: EmbeddedServers, examined_system: ExaminedSystem
) -> None:
    """The first thing that somebody does with a new server is to ask why nothing works."""
    found = examined_system.findings(DATABASE_URL=servers.postgres.url_of("postgres"))

    assert found["postgresql.migrations"].severity == "broken"
    assert found["postgresql.unseen"].remedy == "Run `python -m store migrate`."
    assert found["redis.policy"].severity == "ok"


def test_a_server_that_does_not_wait_for_its_disk_is_broken(
    servers: EmbeddedServers, examined_system: ExaminedSystem
) -> None:
    """The tests' own servers forget on a power cut: fine for tests, and for nobody else."""
    answers = examined_system.results(DATABASE_URL=servers.postgres.url_of("postgres"))

    assert (answers["postgresql.fsync"], answers["postgresql.synchronous_commit"]) == ("broken", "broken")


def test_a_setting_of_the_database_alone_is_seen(examined_system: ExaminedSystem) -> None:
    """synchronous_commit is turned off for one database or role, and postgresql.conf looks innocent."""
    before = examined_system.results()["postgresql.synchronous_commit"]
    with psycopg.connect(examined_system.environ["DATABASE_URL"], autocommit=True) as connection:
        name = connection.info.dbname
    examined_system.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")

    assert (before, examined_system.results()["postgresql.synchronous_commit"]) == ("ok", "broken")


def test_an_index_that_was_cut_short_is_found(examined_system: ExaminedSystem) -> None:
    """CREATE INDEX CONCURRENTLY that fails leaves an index that every write pays for and no read uses."""
    examined_system.execute("INSERT INTO ledger_corrections (reason) VALUES ('same'), ('same')")
    with contextlib.suppress(errors.UniqueViolation):
        examined_system.execute("CREATE UNIQUE INDEX CONCURRENTLY cut_short ON ledger_corrections (reason)")
    found = examined_system.findings()["postgresql.indexes.invalid"]
    examined_system.execute("DROP INDEX cut_short")

    assert found.severity == "broken"
    assert "cut_short" in found.message
    assert examined_system.results()["postgresql.indexes.invalid"] == "ok"


def test_an_index_that_somebody_dropped_is_missed(examined_system: ExaminedSystem) -> None:
    before = examined_system.results()["postgresql.indexes.missing"]
    examined_system.execute("DROP INDEX chats_newest")
    found = examined_system.findings()["postgresql.indexes.missing"]

    assert (before, found.severity) == ("ok", "broken")
    assert "chats_newest" in found.message


def test_the_indexes_of_the_migrations_are_read_from_them() -> None:
    """Whatever a migration makes, drops or renames: what is left is what must be there."""
    texts = (
        "CREATE INDEX a ON t (x); CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS b ON ONLY t (x);",
        "-- CREATE INDEX never ON t (x)\nDROP INDEX a; CREATE INDEX c ON u (x); ALTER INDEX c RENAME TO d;",
        "CREATE INDEX e ON v (x); ALTER TABLE v RENAME TO w; DROP TABLE w; CREATE INDEX a ON t (y);",
    )

    assert indexes.expected_indexes(texts) == {"a": "t", "b": "t", "d": "u"}


@pytest.mark.parametrize(("ahead", "answer"), [("20 seconds", "warning"), ("-2 hours", "broken"), ("0", "ok")])
def test_a_clock_that_is_off_is_told(examined_system: ExaminedSystem, ahead: str, answer: str) -> None:
    """The pulse is judged by PostgreSQL's clock, and a message without a time is dated by ingest's."""
    examined_system.execute(LATER % ahead)

    assert (
        examined_system.results(DATABASE_URL=examined_system.environ["DATABASE_URL"] + SKEWED)["postgresql.clock"]
        == answer
    )


def test_a_transaction_that_nobody_ends_is_told_by_its_process(examined_system: ExaminedSystem) -> None:
    """It stops the feed of every dashboard; what it runs is not said, as that may quote a message."""
    examined_system.execute(LATER % "5 minutes")
    with psycopg.connect(examined_system.environ["DATABASE_URL"], application_name="left open") as connection:
        connection.execute("SELECT 'words of a stranger'")
        found = examined_system.findings(DATABASE_URL=examined_system.environ["DATABASE_URL"] + SKEWED)[
            "postgresql.transactions"
        ]
        pid = connection.info.backend_pid

    assert found.severity == "warning"
    assert str(pid) in found.message
    assert "'left open'" in found.message
    assert "stranger" not in found.message


def test_a_slot_that_nobody_reads_is_told(examined_system: ExaminedSystem) -> None:
    """It keeps the write-ahead log until the disk is full, and then PostgreSQL stops."""
    examined_system.execute("SELECT pg_create_physical_replication_slot('forgotten', true)")
    found = examined_system.findings()["postgresql.slots"]
    examined_system.execute("SELECT pg_drop_replication_slot('forgotten')")

    assert found.severity == "warning"
    assert "forgotten" in found.message
    assert examined_system.results()["postgresql.slots"] == "ok"


def test_few_free_connections_are_told_before_there_are_none(examined_system: ExaminedSystem) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(18):
            stack.enter_context(psycopg.connect(examined_system.environ["DATABASE_URL"]))
        crowded = examined_system.results()["postgresql.connections"]

    assert crowded in {"warning", "broken"}


def test_a_replica_that_follows_nobody_or_is_away_is_told(examined_system: ExaminedSystem) -> None:
    """Readers go to the primary without a word: it works, until the primary has too many of them."""
    none = replica.check(examined_system.environ)
    away, promoted = (
        {one.name: one.severity for one in replica.check(examined_system.environ | {"READ_DATABASE_URL": url})}
        for url in ("postgresql://app@127.0.0.1:1/x", examined_system.environ["DATABASE_URL"])
    )

    assert (none, away, promoted) == ([], {"replica": "warning"}, {"replica": "warning"})


def test_a_month_without_a_partition_is_told(examined_system: ExaminedSystem) -> None:
    """Its bodies lie among the rest, where nothing can be dropped whole."""
    with connections.open(examined_system.environ["DATABASE_URL"], "test") as connection:
        partitions.create_missing(connection)
        last = partitions.list_monthly(connection)[-1].name
    before = examined_system.results()["postgresql.partitions"]
    examined_system.execute(f"DROP TABLE {last}")

    assert (before, examined_system.results()["postgresql.partitions"]) == ("ok", "warning")


def test_a_missing_key_to_who_is_forgotten_is_told(examined_system: ExaminedSystem, tmp_path: Path) -> None:
    """Nothing is written without it, and a restored machine is where it is missing."""
    kept = examined_system.environ | {"DATA_DIR": str(tmp_path / "old")}
    done = subprocess.run(
        [sys.executable, "-m", "store", "forget", "919811000001", "--yes"],
        env=kept,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    assert examined_system.results(DATA_DIR=kept["DATA_DIR"])["secrets.forget"] == "ok"
    assert examined_system.results()["secrets.forget"] == "broken"


def test_missing_privileges_are_reported(examined_system: ExaminedSystem) -> None:
    """A check that cannot be made is not a check that passed."""
    examined_system.execute("REVOKE EXECUTE ON FUNCTION pg_current_xact_id() FROM PUBLIC")
    examined_system.execute("ALTER TABLE parked_events RENAME TO elsewhere")
    found = examined_system.findings()

    assert found["postgresql.unseen"].severity == "warning"
    assert "events.parked" not in found
    assert found["sessions"].severity == "ok"
