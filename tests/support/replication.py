"""PostgreSQL servers that follow each other."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from dev.chaos.system_under_test import POSTGRES_SETTINGS
from dev.embedded import binaries, child_process, system_user
from dev.embedded.postgres import SERVER_ENVIRONMENT, EmbeddedPostgres

SERVER_SETTINGS = POSTGRES_SETTINGS | {"hot_standby_feedback": "off", "wal_receiver_status_interval": "1s"}


@contextmanager
def running_primary(folder: Path) -> Generator[EmbeddedPostgres]:
    with EmbeddedPostgres(folder / "primary", ephemeral=True, settings=SERVER_SETTINGS) as server:
        yield server


def create_standby(primary: EmbeddedPostgres, folder: Path) -> EmbeddedPostgres:
    """A streaming replica that is not started yet."""
    server = EmbeddedPostgres(folder, ephemeral=True, settings=SERVER_SETTINGS)
    user = system_user.for_data_folder(primary.folder / "data")
    data = server.folder / "data"
    data.mkdir(mode=0o700)
    if user:
        user.give_ownership(data)
    programs = binaries.find_postgres(primary.folder, user, None)
    copy = [str(programs / "pg_basebackup"), "-D", str(data), "-h", str(primary.socket_folder), "-U", "app", "-R"]
    process = child_process.start(
        [*copy, "-c", "fast", "--no-sync"], subprocess.PIPE, environment=SERVER_ENVIRONMENT, user=user
    )
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return server


def fetch_rows(server: EmbeddedPostgres, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(query, values)  # pyright: ignore[reportArgumentType] - a test's own
        return cursor.fetchall() if cursor.description else []


def require_synchronous_commit(server: EmbeddedPostgres) -> None:
    """Have it commit nothing from now on that no standby has."""
    fetch_rows(server, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    fetch_rows(server, "SELECT pg_reload_conf()")


def promote(server: EmbeddedPostgres) -> None:
    assert fetch_rows(server, "SELECT pg_promote()") == [(True,)]
    assert fetch_rows(server, "SELECT pg_is_in_recovery()") == [(False,)]


def failover_url(*servers: EmbeddedPostgres) -> str:
    """The URL that leads to whichever takes writes."""
    folders = ",".join(str(server.socket_folder) for server in servers)
    return f"postgresql://app@/history?host={folders}&target_session_attrs=read-write"
