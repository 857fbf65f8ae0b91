"""A healthy system that a test can break for the doctor to examine."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import redis

from dev.embedded.valkey import EmbeddedValkey
from store.doctor import checks
from store.doctor.finding import Finding
from store.ledger import stream_status
from store.postgres import connections
from tests.support.processes import preloaded_python
from worker.commands import doctor

WEBHOOK_SECRET = "5e1fa0c37b92d846" * 4
API_TOKEN = "made-up-token-0123456789abcdef"


class ExaminedSystem:
    """A database, a Redis, and the environment of the processes that use them."""

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
        # Untyped, because redis-py types replies as unions, and a test knows which type arrives.
        self.redis: Any = redis.Redis.from_url(valkey.url)  # pyright: ignore[reportUnknownMemberType] - **kwargs

    def execute(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(statement, values)  # pyright: ignore[reportArgumentType] - a test's own

    def record_stream_status(self) -> None:
        """Record the status of the stream as a worker does every second."""
        with connections.open(self.environ["DATABASE_URL"], "test") as connection:
            stream_status.record(connection, stream_length=0, oldest_received_at=None, positions=())

    def findings(self, **environ: str) -> dict[str, Finding]:
        """Return the last finding of each name. Redis is checked in this process."""
        said = self.environ | environ
        all_ = [*checks.check_database(said), *doctor.examine(said), *checks.check_machine(said)]
        return {one.name: one for one in all_}

    def results(self, **environ: str) -> dict[str, str]:
        return {name: one.severity for name, one in self.findings(**environ).items()}

    def run_doctor(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return preloaded_python.run("store", "doctor", *arguments, environment=self.environ | environ)

    def command_results(self, **environ: str) -> dict[str, str]:
        """Return the severities that the command reports, by name. The command runs in a process of its own."""
        return {
            one["name"]: one["severity"] for one in json.loads(self.run_doctor("--json", **environ).stdout)["findings"]
        }
