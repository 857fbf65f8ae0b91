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
from dev.embedded.postgres import Postgres
from dev.embedded.valkey import Valkey
from store.doctor import checks
from store.doctor.finding import Finding
from store.ledger import stream_status
from store.postgres import connections, migrator
from store.retention import partitions
from worker.commands import doctor

COUNTER = itertools.count(1)
SECRET = "5e1fa0c37b92d846" * 4
TOKEN = "made-up-token-0123456789abcdef"


class Patient:
    """One database of the server's, and what the processes' environment says."""

    def __init__(self, database_url: str, valkey: Valkey, data_dir: Path) -> None:
        self.environ = {
            "DATABASE_URL": database_url,
            "REDIS_URL": valkey.url,
            "DATA_DIR": str(data_dir),
            "WEBHOOK_SECRETS": SECRET,
            "API_TOKEN": TOKEN,
            "PATH": os.environ["PATH"],
        }
        self.data_dir = data_dir
        # Untyped: what redis-py says of its replies are unions of which a test knows the one that comes.
        self.redis: Any = redis.Redis.from_url(valkey.url)  # pyright: ignore[reportUnknownMemberType] - **kwargs

    def run(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(statement, values)  # pyright: ignore[reportArgumentType] - a test's own

    def beat(self) -> None:
        """As a worker does once a second."""
        with connections.open(self.environ["DATABASE_URL"], "test") as connection:
            stream_status.record(connection, length=0, oldest_at=None, writers=())

    def found(self, **environ: str) -> dict[str, Finding]:
        """The findings by name, where a name has several the last; Redis is asked without a process in between."""
        said = self.environ | environ
        all_ = [*checks.database(said), *doctor.examine(said), *checks.machine(said)]
        return {one.name: one for one in all_}

    def answers(self, **environ: str) -> dict[str, str]:
        return {name: one.answer for name, one in self.found(**environ).items()}

    def command(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "store", "doctor", *arguments],
            env=self.environ | environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    def judged(self, **environ: str) -> dict[str, str]:
        """As `answers`, through the command."""
        return {one["name"]: one["answer"] for one in json.loads(self.command("--json", **environ).stdout)["findings"]}


@pytest.fixture(scope="module")
def ward() -> Iterator[tuple[Postgres, Valkey]]:
    """Servers that wait for the disk, as the doctor wants them."""
    folder = data_folder.temporary()
    with Postgres(folder / "postgres", settings={"max_connections": "24"}) as postgres, Valkey(folder / "v") as valkey:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE healthy")
        migrator.migrate(postgres.url_of("healthy"))
        with connections.open(postgres.url_of("healthy"), "test") as worker:
            partitions.make(worker)  # as a worker does in its first minute
        yield postgres, valkey
    shutil.rmtree(folder)


@pytest.fixture
def patient(ward: tuple[Postgres, Valkey], tmp_path: Path) -> Iterator[Patient]:
    postgres, valkey = ward
    name = f"patient_{next(COUNTER)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE healthy").format(sql.Identifier(name)))
        one = Patient(postgres.url_of(name), valkey, tmp_path)
        one.redis.flushall()
        one.beat()
        yield one
        one.redis.close()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
