"""Tests the doctor's checks of PostgreSQL on a real server."""

import contextlib
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from dev.embedded.servers import EmbeddedServers
from store.doctor import indexes, replica
from store.postgres import connections, migrator
from store.retention import partitions
from tests.support.processes import preloaded_python
from tests.support.processes.examined_system import ExaminedSystem

LATER = """
    CREATE SCHEMA skewed;
    CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql
        AS 'SELECT pg_catalog.clock_timestamp() + interval ''%s'''
"""
SKEWED = "&options=-csearch_path%3Dskewed%2Cpg_catalog%2Cpublic"
"""Options that replace clock_timestamp() with a wrong clock."""


def test_an_unreachable_server_is_reported(examined_system: ExaminedSystem) -> None:
    assert examined_system.results(DATABASE_URL="postgresql://app@127.0.0.1:1/x")["postgresql"] == "broken"


def test_missing_and_unknown_migrations_are_reported(examined_system: ExaminedSystem) -> None:
    """A half-upgraded system is not ready. A downgraded one writes rows that the newer version does not expect."""
    last = migrator.available()[-1]
    examined_system.execute("INSERT INTO migrations (name) VALUES ('9999_of_tomorrow.sql')")
    ahead = examined_system.findings()["postgresql.migrations"]
    examined_system.execute("DELETE FROM migrations WHERE name = %s", last)
    behind = examined_system.findings()["postgresql.migrations"]

    assert (ahead.severity, behind.severity) == ("warning", "broken")
    assert "9999_of_tomorrow.sql" in ahead.message
    assert last in behind.message


def test_an_empty_database_is_checked_as_far_as_possible(
    servers: EmbeddedServers, examined_system: ExaminedSystem
) -> None:
    """On a new server, the doctor runs before the migrations."""
    found = examined_system.findings(DATABASE_URL=servers.postgres.url_of("postgres"))

    assert found["postgresql.migrations"].severity == "broken"
    assert found["postgresql.unseen"].remedy == "Run `python -m store migrate`."
    assert found["redis.policy"].severity == "ok"


def test_a_server_without_fsync_is_broken(servers: EmbeddedServers, examined_system: ExaminedSystem) -> None:
    """The servers of the tests run without fsync, which only tests can afford."""
    answers = examined_system.results(DATABASE_URL=servers.postgres.url_of("postgres"))

    assert (answers["postgresql.fsync"], answers["postgresql.synchronous_commit"]) == ("broken", "broken")


def test_a_setting_of_one_database_is_found(examined_system: ExaminedSystem) -> None:
    """synchronous_commit may be off for one database or role although it is on in postgresql.conf."""
    before = examined_system.results()["postgresql.synchronous_commit"]
    with psycopg.connect(examined_system.environ["DATABASE_URL"], autocommit=True) as connection:
        name = connection.info.dbname
    examined_system.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")

    assert (before, examined_system.results()["postgresql.synchronous_commit"]) == ("ok", "broken")


def test_an_invalid_index_is_found(examined_system: ExaminedSystem) -> None:
    """A failed CREATE INDEX CONCURRENTLY leaves an index that every write updates and no query uses."""
    examined_system.execute("INSERT INTO ledger_corrections (reason) VALUES ('same'), ('same')")
    with contextlib.suppress(errors.UniqueViolation):
        examined_system.execute("CREATE UNIQUE INDEX CONCURRENTLY cut_short ON ledger_corrections (reason)")
    found = examined_system.findings()["postgresql.indexes.invalid"]
    examined_system.execute("DROP INDEX cut_short")

    assert found.severity == "broken"
    assert "cut_short" in found.message
    assert examined_system.results()["postgresql.indexes.invalid"] == "ok"


def test_a_dropped_index_is_found(examined_system: ExaminedSystem) -> None:
    before = examined_system.results()["postgresql.indexes.missing"]
    examined_system.execute("DROP INDEX chats_newest")
    found = examined_system.findings()["postgresql.indexes.missing"]

    assert (before, found.severity) == ("ok", "broken")
    assert "chats_newest" in found.message


def test_the_expected_indexes_are_read_from_the_migrations() -> None:
    """The expected indexes are those that remain after all CREATE, DROP and RENAME statements."""
    texts = (
        "CREATE INDEX a ON t (x); CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS b ON ONLY t (x);",
        "-- CREATE INDEX never ON t (x)\nDROP INDEX a; CREATE INDEX c ON u (x); ALTER INDEX c RENAME TO d;",
        "CREATE INDEX e ON v (x); ALTER TABLE v RENAME TO w; DROP TABLE w; CREATE INDEX a ON t (y);",
    )

    assert indexes.expected_indexes(texts) == {"a": "t", "b": "t", "d": "u"}


@pytest.mark.parametrize(("ahead", "answer"), [("20 seconds", "warning"), ("-2 hours", "broken"), ("0", "ok")])
def test_a_wrong_clock_is_reported(examined_system: ExaminedSystem, ahead: str, answer: str) -> None:
    """PostgreSQL's clock dates the status of the stream, and ingest's clock dates messages without a time."""
    examined_system.execute(LATER % ahead)

    assert (
        examined_system.results(DATABASE_URL=examined_system.environ["DATABASE_URL"] + SKEWED)["postgresql.clock"]
        == answer
    )


def test_an_old_transaction_is_reported_with_its_process(examined_system: ExaminedSystem) -> None:
    """It blocks every reader of the feed. Its query is not printed, because it may contain a message."""
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


def test_an_idle_replication_slot_is_reported(examined_system: ExaminedSystem) -> None:
    """It retains the write-ahead log until the disk is full and PostgreSQL stops."""
    examined_system.execute("SELECT pg_create_physical_replication_slot('forgotten', true)")
    found = examined_system.findings()["postgresql.slots"]
    examined_system.execute("SELECT pg_drop_replication_slot('forgotten')")

    assert found.severity == "warning"
    assert "forgotten" in found.message
    assert examined_system.results()["postgresql.slots"] == "ok"


def test_few_free_connections_are_reported(examined_system: ExaminedSystem) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(18):
            stack.enter_context(psycopg.connect(examined_system.environ["DATABASE_URL"]))
        crowded = examined_system.results()["postgresql.connections"]

    assert crowded in {"warning", "broken"}


def test_a_replica_that_is_promoted_or_unreachable_is_reported(examined_system: ExaminedSystem) -> None:
    """Reads use the primary instead, without a warning, until it is overloaded."""
    none = replica.check(examined_system.environ)
    away, promoted = (
        {one.name: one.severity for one in replica.check(examined_system.environ | {"READ_DATABASE_URL": url})}
        for url in ("postgresql://app@127.0.0.1:1/x", examined_system.environ["DATABASE_URL"])
    )

    assert (none, away, promoted) == ([], {"replica": "warning"}, {"replica": "warning"})


def test_a_month_without_a_partition_is_reported(examined_system: ExaminedSystem) -> None:
    """The raw events of this month are in the default partition, which cannot be dropped."""
    with connections.open(examined_system.environ["DATABASE_URL"], "test") as connection:
        partitions.create_missing(connection)
        last = partitions.list_monthly(connection)[-1].name
    before = examined_system.results()["postgresql.partitions"]
    examined_system.execute(f"DROP TABLE {last}")

    assert (before, examined_system.results()["postgresql.partitions"]) == ("ok", "warning")


def test_a_missing_suppression_key_is_reported(examined_system: ExaminedSystem, tmp_path: Path) -> None:
    """Without the key nothing is written, and a restored machine may lack it."""
    kept = examined_system.environ | {"DATA_DIR": str(tmp_path / "old")}
    done = preloaded_python.run("store", "forget", "919811000001", "--yes", environment=kept)
    assert done.returncode == 0, done.stderr

    assert examined_system.results(DATA_DIR=kept["DATA_DIR"])["secrets.suppression_key"] == "ok"
    assert examined_system.results()["secrets.suppression_key"] == "broken"


def test_a_check_without_permission_is_reported(examined_system: ExaminedSystem) -> None:
    """A check that could not run has not passed."""
    examined_system.execute("REVOKE EXECUTE ON FUNCTION pg_current_xact_id() FROM PUBLIC")
    examined_system.execute("ALTER TABLE parked_events RENAME TO elsewhere")
    found = examined_system.findings()

    assert found["postgresql.unseen"].severity == "warning"
    assert "events.parked" not in found
    assert found["sessions"].severity == "info"
