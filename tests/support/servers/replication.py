"""Provides PostgreSQL servers that replicate each other."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from dev.chaos import replication
from dev.chaos.system_under_test import POSTGRES_SETTINGS
from dev.embedded.postgres import EmbeddedPostgres

SERVER_SETTINGS = POSTGRES_SETTINGS | {"hot_standby_feedback": "off", "wal_receiver_status_interval": "1s"}


@contextmanager
def running_primary(folder: Path) -> Generator[EmbeddedPostgres]:
    with EmbeddedPostgres(folder / "primary", ephemeral=True, settings=SERVER_SETTINGS) as server:
        yield server


def create_standby(primary: EmbeddedPostgres, folder: Path) -> EmbeddedPostgres:
    """Return a streaming standby that is not started."""
    return replication.create_standby(primary, folder, SERVER_SETTINGS)


def fetch_rows(server: EmbeddedPostgres, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(query, values)  # pyright: ignore[reportArgumentType] - a test's own
        return cursor.fetchall() if cursor.description else []


def require_synchronous_commit(server: EmbeddedPostgres) -> None:
    """Make the server wait for a standby with each commit."""
    fetch_rows(server, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    fetch_rows(server, "SELECT pg_reload_conf()")


def promote(server: EmbeddedPostgres) -> None:
    replication.promote(server)


def failover_url(*servers: EmbeddedPostgres) -> str:
    """Return a URL that leads to the server that accepts writes."""
    folders = ",".join(str(server.socket_folder) for server in servers)
    return f"postgresql://app@/history?host={folders}&target_session_attrs=read-write"
