"""A system in good health, on servers of its own that a test may make ill."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from psycopg import sql

from dev.checkout import ROOT
from dev.embedded import data_folder
from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.valkey import EmbeddedValkey
from store.doctor import checks
from store.doctor.finding import Finding
from store.ledger import stream_status
from store.postgres import connections, migrator
from store.retention import partitions
from worker.commands import doctor

DATABASE_NUMBERS = itertools.count(1)
WEBHOOK_SECRET = "5e1fa0c37b92d846" * 4
API_TOKEN = "made-up-token-0123456789abcdef"


class ExaminedSystem:
    """One database of the server's, and what the processes' environment says."""

    def __init__(self, database_url: str, valkey: EmbeddedValkey, data_dir: Path) -> None:
        self.environ = {
            "DATABASE_URL": database_url,
            "REDIS_URL": valkey.url,
            "DATA_DIR": str(data_dir),
            "WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "API_TOKEN": API_TOKEN,
            "PATH": os.environ["PATH"],
        }
        self.data_dir = data_dir
        # Untyped: what redis-py says of its replies are unions of which a test knows the one that comes.
        self.redis: Any = redis.Redis.from_url(valkey.url)  # pyright: ignore[reportUnknownMemberType] - **kwargs

    def execute(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(statement, values)  # pyright: ignore[reportArgumentType] - a test's own

    def record_stream_status(self) -> None:
        """As a worker does once a second."""
        with connections.open(self.environ["DATABASE_URL"], "test") as connection:
            stream_status.record(connection, stream_length=0, oldest_received_at=None, writers=())

    def findings(self, **environ: str) -> dict[str, Finding]:
        """The findings by name, where a name has several the last; Redis is asked without a process in between."""
        said = self.environ | environ
        all_ = [*checks.check_database(said), *doctor.examine(said), *checks.check_machine(said)]
        return {one.name: one for one in all_}

    def results(self, **environ: str) -> dict[str, str]:
        return {name: one.severity for name, one in self.findings(**environ).items()}

    def run_doctor(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "store", "doctor", *arguments],
            env=self.environ | environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    def command_results(self, **environ: str) -> dict[str, str]:
        """As `answers`, through the command."""
        return {
            one["name"]: one["severity"] for one in json.loads(self.run_doctor("--json", **environ).stdout)["findings"]
        }


@pytest.fixture(scope="module")
def doctor_servers() -> Iterator[tuple[EmbeddedPostgres, EmbeddedValkey]]:
    """Servers that wait for the disk, as the doctor wants them."""
    folder = data_folder.create_temporary()
    with (
        EmbeddedPostgres(folder / "postgres", settings={"max_connections": "24"}) as postgres,
        EmbeddedValkey(folder / "v") as valkey,
    ):
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE healthy")
        migrator.migrate(postgres.url_of("healthy"))
        with connections.open(postgres.url_of("healthy"), "test") as worker:
            partitions.create_missing(worker)  # as a worker does in its first minute
        yield postgres, valkey
    shutil.rmtree(folder)


@pytest.fixture
def examined_system(
    doctor_servers: tuple[EmbeddedPostgres, EmbeddedValkey], tmp_path: Path
) -> Iterator[ExaminedSystem]:
    postgres, valkey = doctor_servers
    name = f"patient_{next(DATABASE_NUMBERS)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE healthy").format(sql.Identifier(name)))
        one = ExaminedSystem(postgres.url_of(name), valkey, tmp_path)
        one.redis.flushall()
        one.record_stream_status()
        yield one
        one.redis.close()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
