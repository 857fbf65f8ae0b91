"""PostgreSQL servers that follow each other."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from dev.chaos.system_under_test import POSTGRES
from dev.embedded import binaries, child_process, system_user
from dev.embedded.postgres import ENVIRONMENT, Postgres

SETTINGS = POSTGRES | {"hot_standby_feedback": "off", "wal_receiver_status_interval": "1s"}


@contextmanager
def primary(folder: Path) -> Generator[Postgres]:
    with Postgres(folder / "primary", ephemeral=True, settings=SETTINGS) as server:
        yield server


def standby(of: Postgres, folder: Path) -> Postgres:
    """A streaming replica that is not started yet."""
    server = Postgres(folder, ephemeral=True, settings=SETTINGS)
    user = system_user.for_server(of.home / "data")
    data = server.home / "data"
    data.mkdir(mode=0o700)
    if user:
        user.own(data)
    programs = binaries.postgres(of.home, user, None)
    copy = [str(programs / "pg_basebackup"), "-D", str(data), "-h", str(of.socket_folder), "-U", "app", "-R"]
    process = child_process.start(
        [*copy, "-c", "fast", "--no-sync"], subprocess.PIPE, environment=ENVIRONMENT, account=user
    )
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return server


def ask(server: Postgres, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(query, values)  # pyright: ignore[reportArgumentType] - a test's own
        return cursor.fetchall() if cursor.description else []


def wait_for_commits(server: Postgres) -> None:
    """Have it commit nothing from now on that no standby has."""
    ask(server, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    ask(server, "SELECT pg_reload_conf()")


def promote(server: Postgres) -> None:
    assert ask(server, "SELECT pg_promote()") == [(True,)]
    assert ask(server, "SELECT pg_is_in_recovery()") == [(False,)]


def both(*servers: Postgres) -> str:
    """The URL that leads to whichever takes writes."""
    folders = ",".join(str(server.socket_folder) for server in servers)
    return f"postgresql://app@/history?host={folders}&target_session_attrs=read-write"
