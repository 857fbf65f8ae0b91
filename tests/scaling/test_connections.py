"""Tests connections to PostgreSQL: settings apply, waits are limited, and errors are reported."""

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dev.chaos.faults.fault_proxy import FaultProxy
from dev.embedded import postgres
from dev.embedded.postgres import ROLE, EmbeddedPostgres
from dev.embedded.servers import EmbeddedServers
from store.postgres import connections, errors, pool
from store.postgres.connections import Connection, DatabaseUrlError
from store.postgres.pool import Pool
from tests.support.processes.preloaded_python import PreloadedProcess
from tests.support.servers import pgbouncer
from tests.support.servers.databases import run_admin
from tests.support.waiting import wait_until


def shown(connection: Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture
def proxy(servers: EmbeddedServers) -> Iterator[FaultProxy]:
    with FaultProxy(servers.postgres.socket_folder / postgres.SOCKET_NAME) as between:
        yield between


def test_options_in_the_url_are_added_to_ours_and_outrank_them(database_url: str) -> None:
    """A user who sets one option does not expect to lose the timeouts."""
    url = f"{database_url}&options=-c%20statement_timeout%3D3s%20-c%20work_mem%3D8MB"
    with connections.open(url, "test", overrides=connections.KEY_LOOKUP_SETTINGS) as connection:
        names = ("statement_timeout", "work_mem", "lock_timeout", "timezone", "enable_seqscan")

        assert [shown(connection, name) for name in names] == ["3s", "8MB", "10s", "UTC", "off"]


@pytest.mark.parametrize("ignored", ["", "options"])
def test_through_a_pooler_settings_hold_in_every_transaction_and_nothing_is_prepared(
    servers: EmbeddedServers, direct_url: str, server_folder: Path, ignored: str
) -> None:
    """PgBouncer refuses libpq's options, or ignores them if configured to do so. It is detected in both cases."""
    with pgbouncer.running(servers.postgres, server_folder, pool_size=2, ignored_parameters=ignored) as port:
        name = direct_url.partition("?")[0].rpartition("/")[2]
        url = f"postgresql://{ROLE}@127.0.0.1:{port}/{name}"
        with (
            connections.open(url, "one", overrides=connections.KEY_LOOKUP_SETTINGS) as one,
            connections.open(url, "other", overrides={"statement_timeout": "7s"}) as other,
        ):
            for _ in range(10):
                with one.transaction(), other.transaction():
                    assert [shown(one, "statement_timeout"), shown(one, "enable_seqscan")] == ["15s", "off"]
                    assert [shown(other, "statement_timeout"), shown(other, "enable_seqscan")] == ["7s", "on"]
            alone = shown(one, "statement_timeout"), shown(other, "statement_timeout")
            with one.transaction():
                one.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                isolated = shown(one, "transaction_isolation"), shown(one, "lock_timeout")
            threshold = one.prepare_threshold
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as stranger:
            left = stranger.execute("SELECT current_setting('statement_timeout'), count(*) FROM pg_prepared_statements")

            assert threshold is None
            assert alone == ("15s", "7s"), "a statement outside any transaction gets one of its own"
            assert isolated == ("repeatable read", "10s")
            assert left.fetchone() == ("0", 0), "nothing of ours stays with whoever comes next"


def test_a_reading_pool_cannot_write_through_a_pooler_either(pgbouncer_url: str) -> None:
    """PostgreSQL must enforce that the api only reads, so that no code has to."""
    reads = Pool(pgbouncer_url, "test", size=2, read_only=True)
    reads.open()
    try:
        assert reads.read(lambda connection: shown(connection, "enable_sort")) == "off"
        with pytest.raises(errors.StoreError) as refused:
            reads.read(lambda connection: connection.execute("UPDATE feed_epoch SET epoch = epoch"))
        assert refused.value.sqlstate == "25006"
    finally:
        reads.close()


def test_commands_that_need_a_session_are_refused_through_a_pooler(pgbouncer_url: str, direct_url: str) -> None:
    """A lock that belongs to the session of another client would never be released."""
    with pytest.raises(errors.TransientError, match="DIRECT_DATABASE_URL"):
        connections.open(pgbouncer_url, "test", dedicated=True)
    with connections.open(direct_url, "test", dedicated=True) as connection:
        assert shown(connection, "lock_timeout") == "10s"


def test_a_question_on_a_line_that_went_dead_is_asked_again_on_another(
    database_url: str, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a firewall drops the connection, no reset ever arrives, and libpq would wait for ever."""
    monkeypatch.setattr(pool, "_QUERY_TIMEOUT", 1.0)
    name = database_url.partition("?")[0].rpartition("/")[2]
    reads = Pool(f"postgresql://{ROLE}@127.0.0.1:{proxy.port}/{name}", "test", size=2, read_only=True)
    reads.open()
    try:
        assert reads.read(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
        proxy.blackhole = True
        heal = threading.Timer(0.5, setattr, [proxy, "blackhole", False])  # open connections stay dead
        heal.start()

        assert reads.read(lambda connection: connection.execute("SELECT 2").fetchone()) == (2,)
        heal.join()
    finally:
        reads.close()


def test_a_write_on_a_line_that_went_dead_ends(
    database_url: str, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is unknown whether the write succeeded, so it is not repeated, but the caller receives an error."""
    monkeypatch.setattr(pool, "_QUERY_TIMEOUT", 1.0)
    name = database_url.partition("?")[0].rpartition("/")[2]
    writes = Pool(f"postgresql://{ROLE}@127.0.0.1:{proxy.port}/{name}", "test", size=1, read_only=False)
    writes.open()
    try:
        with writes.connection() as connection:
            connection.execute("SELECT 1")
        proxy.blackhole = True
        with pytest.raises(errors.TransientError), writes.connection() as connection:
            connection.execute("SELECT 1")
    finally:
        proxy.blackhole = False
        writes.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://app@/nowhere?host={folder}", "there is no such database"),
        ("postgresql://stranger@/postgres?host={folder}", "there is no such user"),
        ("postgresql://app@127.0.0.1:1/postgres", "connection refused"),
        ("postgresql://app@no-such-host.invalid/postgres", "its host name does not resolve"),
    ],
)
def test_why_there_is_no_connection_is_said_without_names(servers: EmbeddedServers, url: str, reason: str) -> None:
    """'OperationalError', once a second, does not reveal that the password was mistyped."""
    with pytest.raises(errors.TransientError) as refused:
        connections.open(url.format(folder=servers.postgres.socket_folder), "test")

    assert reason in str(refused.value)
    assert not any(name in str(refused.value) for name in ("stranger", "127.0.0.1", "no-such-host"))


def test_a_wrong_password_is_called_one(server_folder: Path) -> None:
    """This is the most common mistake. The server here requires passwords, as most do."""
    with EmbeddedPostgres(server_folder / "postgres", ephemeral=True) as server:
        with psycopg.connect(server.url, autocommit=True) as database:
            database.execute("CREATE ROLE guarded LOGIN PASSWORD 'made-up-secret'")
            database.execute("SELECT pg_reload_conf()")
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text("local all guarded scram-sha-256\nlocal all all trust\n")
        with psycopg.connect(server.url, autocommit=True) as database:
            database.execute("SELECT pg_reload_conf()")
        wrong = f"postgresql://guarded:another@/history?host={server.socket_folder}"

        def refused() -> str:
            try:
                connections.open(wrong, "test").close()
            except errors.TransientError as error:
                return str(error)
            return "it has not read its rules yet"

        wait_until(lambda: "rejects the user or password" in refused())


def test_a_pool_says_why_nobody_gets_a_connection(servers: EmbeddedServers) -> None:
    """`/readyz` contains the reason, too."""
    reads = Pool(f"postgresql://app@/nowhere?host={servers.postgres.socket_folder}", "test", size=1, read_only=True)
    reads.open()
    try:
        with pytest.raises(errors.TransientError, match="there is no such database"):
            reads.read(lambda connection: connection.execute("SELECT 1"))
    finally:
        reads.close()


@pytest.mark.parametrize("name", ["DATABASE_URL", "DIRECT_DATABASE_URL", "READ_DATABASE_URL"])
def test_a_url_that_is_none_is_refused_without_being_quoted(name: str) -> None:
    """libpq quotes text that it cannot parse, and it may contain a password."""
    environ = {"DATABASE_URL": "postgresql://app@/history", name: "postgres//app:made-up-secret@x"}
    with pytest.raises(DatabaseUrlError) as refused:
        print(connections.url(environ), connections.direct_url(environ), connections.replica_url(environ))

    assert name in str(refused.value)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_worker_says_why_it_cannot_begin_and_begins_when_it_can(
    servers: EmbeddedServers, template_database: str, redis_url: str, tmp_path: Path
) -> None:
    """A database that is created later, or a corrected password, needs no restart, and the log shows the reason."""
    url = servers.postgres.url_of("made_later")
    environment = {"DATABASE_URL": url, "REDIS_URL": redis_url, "DATA_DIR": str(tmp_path)}
    with PreloadedProcess("worker", environment, tmp_path / "worker.log") as worker:
        wait_until(lambda: "PostgreSQL cannot be used: there is no such database." in worker.output)
        run_admin(servers, "CREATE DATABASE made_later TEMPLATE {}", template_database)
        try:
            pulse = "SELECT count(*) FROM stream_status"
            with psycopg.connect(url, autocommit=True) as database:
                wait_until(lambda: database.execute(pulse).fetchone() == (1,))
            assert worker.is_running
        finally:
            worker.kill()
            run_admin(servers, "DROP DATABASE made_later WITH (FORCE)")


@pytest.mark.parametrize("module", ["worker", "api"])
def test_a_process_does_not_start_on_a_url_that_is_none(module: str, redis_url: str, tmp_path: Path) -> None:
    """It can never become valid, so the error is reported at once."""
    environment = {
        "DATABASE_URL": "postgres//app:made-up-secret@x",
        "REDIS_URL": redis_url,
        "API_TOKEN": "made-up-token-0123456789",
    }
    program = PreloadedProcess(module, environment, tmp_path / "log").start()

    assert program.wait() != 0
    assert "DATABASE_URL must look like postgresql://" in program.output
    assert "secret" not in program.output
