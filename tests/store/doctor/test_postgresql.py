"""What can be wrong with PostgreSQL, done to a real one."""

import contextlib
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from dev.checkout import ROOT
from dev.embedded.servers import Servers
from store.doctor import indexes, replica
from store.postgres import connections, migrator
from store.retention import partitions
from tests.store.doctor.conftest import Patient

LATER = """
    CREATE SCHEMA skewed;
    CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql
        AS 'SELECT pg_catalog.clock_timestamp() + interval ''%s'''
"""
SKEWED = "&options=-csearch_path%3Dskewed%2Cpg_catalog%2Cpublic"
"""A PostgreSQL whose clock_timestamp() is another."""


def test_a_server_that_is_away_is_said_to_be(patient: Patient) -> None:
    assert patient.answers(DATABASE_URL="postgresql://app@127.0.0.1:1/x")["postgresql"] == "broken"


def test_migrations_that_lack_and_that_nobody_knows_are_told(patient: Patient) -> None:
    """A half-upgraded system is not ready, and a downgraded one writes what the other does not expect."""
    last = migrator.names()[-1]
    patient.run("INSERT INTO migrations (name) VALUES ('9999_of_tomorrow.sql')")
    ahead = patient.found()["postgresql.migrations"]
    patient.run("DELETE FROM migrations WHERE name = %s", last)
    behind = patient.found()["postgresql.migrations"]

    assert (ahead.answer, behind.answer) == ("warning", "broken")
    assert "9999_of_tomorrow.sql" in ahead.sentence
    assert last in behind.sentence


def test_an_empty_database_is_judged_as_far_as_it_goes(servers: Servers, patient: Patient) -> None:
    """The first thing that somebody does with a new server is to ask why nothing works."""
    found = patient.found(DATABASE_URL=servers.postgres.url_of("postgres"))

    assert found["postgresql.migrations"].answer == "broken"
    assert found["postgresql.unseen"].cure == "Run `python -m store migrate`."
    assert found["redis.policy"].answer == "ok"


def test_a_server_that_does_not_wait_for_its_disk_is_broken(servers: Servers, patient: Patient) -> None:
    """The tests' own servers forget on a power cut: fine for tests, and for nobody else."""
    answers = patient.answers(DATABASE_URL=servers.postgres.url_of("postgres"))

    assert (answers["postgresql.fsync"], answers["postgresql.synchronous_commit"]) == ("broken", "broken")


def test_a_setting_of_the_database_alone_is_seen(patient: Patient) -> None:
    """synchronous_commit is turned off for one database or role, and postgresql.conf looks innocent."""
    before = patient.answers()["postgresql.synchronous_commit"]
    with psycopg.connect(patient.environ["DATABASE_URL"], autocommit=True) as connection:
        name = connection.info.dbname
    patient.run(f"ALTER DATABASE {name} SET synchronous_commit = off")

    assert (before, patient.answers()["postgresql.synchronous_commit"]) == ("ok", "broken")


def test_an_index_that_was_cut_short_is_found(patient: Patient) -> None:
    """CREATE INDEX CONCURRENTLY that fails leaves an index that every write pays for and no read uses."""
    patient.run("INSERT INTO corrections (reason) VALUES ('same'), ('same')")
    with contextlib.suppress(errors.UniqueViolation):
        patient.run("CREATE UNIQUE INDEX CONCURRENTLY cut_short ON corrections (reason)")
    found = patient.found()["postgresql.indexes.invalid"]
    patient.run("DROP INDEX cut_short")

    assert found.answer == "broken"
    assert "cut_short" in found.sentence
    assert patient.answers()["postgresql.indexes.invalid"] == "ok"


def test_an_index_that_somebody_dropped_is_missed(patient: Patient) -> None:
    before = patient.answers()["postgresql.indexes.missing"]
    patient.run("DROP INDEX chats_newest")
    found = patient.found()["postgresql.indexes.missing"]

    assert (before, found.answer) == ("ok", "broken")
    assert "chats_newest" in found.sentence


def test_the_indexes_of_the_migrations_are_read_from_them() -> None:
    """Whatever a migration makes, drops or renames: what is left is what must be there."""
    texts = (
        "CREATE INDEX a ON t (x); CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS b ON ONLY t (x);",
        "-- CREATE INDEX never ON t (x)\nDROP INDEX a; CREATE INDEX c ON u (x); ALTER INDEX c RENAME TO d;",
        "CREATE INDEX e ON v (x); ALTER TABLE v RENAME TO w; DROP TABLE w; CREATE INDEX a ON t (y);",
    )

    assert indexes.expected(texts) == {"a": "t", "b": "t", "d": "u"}


@pytest.mark.parametrize(("ahead", "answer"), [("20 seconds", "warning"), ("-2 hours", "broken"), ("0", "ok")])
def test_a_clock_that_is_off_is_told(patient: Patient, ahead: str, answer: str) -> None:
    """The pulse is judged by PostgreSQL's clock, and a message without a time is dated by ingest's."""
    patient.run(LATER % ahead)

    assert patient.answers(DATABASE_URL=patient.environ["DATABASE_URL"] + SKEWED)["postgresql.clock"] == answer


def test_a_transaction_that_nobody_ends_is_told_by_its_process(patient: Patient) -> None:
    """It stops the feed of every dashboard; what it runs is not said, as that may quote a message."""
    patient.run(LATER % "5 minutes")
    with psycopg.connect(patient.environ["DATABASE_URL"], application_name="left open") as connection:
        connection.execute("SELECT 'words of a stranger'")
        found = patient.found(DATABASE_URL=patient.environ["DATABASE_URL"] + SKEWED)["postgresql.transactions"]
        pid = connection.info.backend_pid

    assert found.answer == "warning"
    assert str(pid) in found.sentence
    assert "'left open'" in found.sentence
    assert "stranger" not in found.sentence


def test_a_slot_that_nobody_reads_is_told(patient: Patient) -> None:
    """It keeps the write-ahead log until the disk is full, and then PostgreSQL stops."""
    patient.run("SELECT pg_create_physical_replication_slot('forgotten', true)")
    found = patient.found()["postgresql.slots"]
    patient.run("SELECT pg_drop_replication_slot('forgotten')")

    assert found.answer == "warning"
    assert "forgotten" in found.sentence
    assert patient.answers()["postgresql.slots"] == "ok"


def test_few_free_connections_are_told_before_there_are_none(patient: Patient) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(18):
            stack.enter_context(psycopg.connect(patient.environ["DATABASE_URL"]))
        crowded = patient.answers()["postgresql.connections"]

    assert crowded in {"warning", "broken"}


def test_a_replica_that_follows_nobody_or_is_away_is_told(patient: Patient) -> None:
    """Readers go to the primary without a word: it works, until the primary has too many of them."""
    none = replica.findings(patient.environ)
    away, promoted = (
        {one.name: one.answer for one in replica.findings(patient.environ | {"READ_DATABASE_URL": url})}
        for url in ("postgresql://app@127.0.0.1:1/x", patient.environ["DATABASE_URL"])
    )

    assert (none, away, promoted) == ([], {"replica": "warning"}, {"replica": "warning"})


def test_a_month_without_a_partition_is_told(patient: Patient) -> None:
    """Its bodies lie among the rest, where nothing can be dropped whole."""
    with connections.open(patient.environ["DATABASE_URL"], "test") as connection:
        partitions.make(connection)
        last = partitions.find(connection)[-1].name
    before = patient.answers()["postgresql.partitions"]
    patient.run(f"DROP TABLE {last}")

    assert (before, patient.answers()["postgresql.partitions"]) == ("ok", "warning")


def test_a_missing_key_to_who_is_forgotten_is_told(patient: Patient, tmp_path: Path) -> None:
    """Nothing is written without it, and a restored machine is where it is missing."""
    kept = patient.environ | {"DATA_DIR": str(tmp_path / "old")}
    done = subprocess.run(
        [sys.executable, "-m", "store", "forget", "919811000001", "--yes"],
        env=kept,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    assert patient.answers(DATA_DIR=kept["DATA_DIR"])["secrets.forget"] == "ok"
    assert patient.answers()["secrets.forget"] == "broken"


def test_who_may_not_look_is_told_so(patient: Patient) -> None:
    """A check that cannot be made is not a check that passed."""
    patient.run("REVOKE EXECUTE ON FUNCTION pg_current_xact_id() FROM PUBLIC")
    patient.run("ALTER TABLE parked RENAME TO elsewhere")
    found = patient.found()

    assert found["postgresql.unseen"].answer == "warning"
    assert "events.parked" not in found
    assert found["sessions"].answer == "ok"
