"""Starts servers and processes for benchmarks, in the same way as `./run`."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg
import redis
from psycopg import sql

from dev.bench.errors import WrongResultError
from dev.bench.load import sample_webhooks
from dev.bench.process_usage import UsageMeter
from dev.checkout import ROOT
from dev.embedded import child_process
from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.valkey import EmbeddedValkey
from dev.supervisor import listeners, settings
from store.postgres import migrator

HOST = "127.0.0.1"
API_TOKEN = "token-of-the-benchmarks-0123456789"  # noqa: S105 - made up, for servers that only this machine can reach
START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class StartedProcess:
    """A process that is ready."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        child_process.stop(self.process, (signal.SIGTERM, 15.0))


@dataclass(frozen=True, slots=True)
class BenchServers:
    folder: Path
    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey

    @classmethod
    @contextmanager
    def create(cls, parent: Path) -> Generator[Self]:
        """Provide servers in a temporary folder below `parent`, on whose disk they sync."""
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="servers-", dir=parent))
        folder.chmod(0o711)
        servers = cls(folder, EmbeddedPostgres(folder / "postgres"), EmbeddedValkey(folder / "valkey"))
        try:
            servers.valkey.start()
            servers.postgres.start()
            yield servers
        finally:
            servers.postgres.stop()
            servers.valkey.stop()
            shutil.rmtree(servers.postgres.folder, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def database(self, name: str = "bench", *, migrated: bool = True) -> Generator[str]:
        """Provide a new database and drop it afterwards. Yields its URL."""
        self._run_admin("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        self._run_admin("CREATE DATABASE {}", name)
        url = self.postgres.url_of(name)
        try:
            if migrated:
                migrator.migrate(url)
            yield url
        finally:
            self._run_admin("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    @contextmanager
    def redis(self, **settings: str) -> Generator["redis.Redis"]:
        """Provide the emptied Valkey with settings that apply within the block."""
        # The spool is removed, because the next ingest would send what the previous one left in it.
        shutil.rmtree(self.folder / "spool", ignore_errors=True)
        with redis.Redis.from_url(self.valkey.url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
            client.execute_command("FLUSHALL", "SYNC")  # pyright: ignore[reportUnknownMemberType] - *args
            before: dict[str, str] = {}
            for name, value in settings.items():
                before |= client.config_get(name)  # pyright: ignore[reportUnknownMemberType, reportGeneralTypeIssues, reportAssignmentType, reportOperatorIssue] - **kwargs
                client.config_set(name, value)  # pyright: ignore[reportUnknownMemberType] - **kwargs
            try:
                yield client
            finally:
                for name, value in before.items():
                    client.config_set(name, value)  # pyright: ignore[reportUnknownMemberType] - **kwargs
                client.execute_command("FLUSHALL", "SYNC")  # pyright: ignore[reportUnknownMemberType] - *args

    @contextmanager
    def start_module(self, module: str, database_url: str = "", **settings: str) -> Generator[StartedProcess]:
        """Run `python -m module` until the block ends, in the same way as `./run`."""
        port = self.free_port()
        environment = {
            "PORT": str(port) if module != "worker" else "",
            "WORKER_PORT": str(port),
            "HOST": HOST,
            "DATA_DIR": str(self.folder),
            "DATABASE_URL": database_url,
            "REDIS_URL": self.valkey.url,
            "WEBHOOK_SECRETS": sample_webhooks.SECRET,
            "API_TOKEN": API_TOKEN,
        }
        with self.start_python(["-m", module], port, environment | settings, f"http://{HOST}:{port}/readyz") as started:
            yield started

    @property
    def worker_count(self) -> int:
        """The number of workers that `./run` starts by default."""
        return settings.default_worker_count()

    @contextmanager
    def start_workers(self, database_url: str) -> Generator[list[StartedProcess]]:
        """Run as many workers as `./run` until the block ends."""
        with ExitStack() as stack:
            yield [stack.enter_context(self.start_module("worker", database_url)) for _ in range(self.worker_count)]

    @contextmanager
    def start_python(
        self, arguments: Sequence[str], port: int, environment: Mapping[str, str], ready_url: str | None
    ) -> Generator[StartedProcess]:
        """Run a Python program until the block ends. Without a URL for its readiness, wait one second."""
        log = (self.folder / "processes.log").open("ab")
        process = child_process.start(
            [sys.executable, *arguments], log, environment={**os.environ, **environment}, cwd=str(ROOT)
        )
        log.close()
        started = StartedProcess(process, port)
        try:
            if ready_url is None:
                time.sleep(1.0)
            else:
                self._wait_until_ready(started, ready_url)
            yield started
        finally:
            started.stop()

    @staticmethod
    def free_port() -> int:
        return listeners.free_port(HOST, 0, "PORT")

    def start_usage_meter(self, **processes: Sequence[StartedProcess]) -> UsageMeter:
        """Start a meter of the CPU seconds of the servers and of these groups of processes."""
        groups = {name: [process.pid for process in started] for name, started in processes.items()}
        return UsageMeter.start({"postgres": [self.postgres.pid], "valkey": [self.valkey.pid], **groups})

    def _wait_until_ready(self, started: StartedProcess, url: str) -> None:
        def is_ready() -> bool:
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own URL
                    return answer.status == 200
            except urllib.error.HTTPError as error:
                return "readyz" not in url and error.code < 500
            except OSError:
                return False

        is_finished = child_process.wait_until(lambda: started.process.poll() is not None or is_ready(), START_SECONDS)
        if not is_finished or started.process.poll() is not None:
            output = (self.folder / "processes.log").read_text(errors="replace")[-2000:]
            raise WrongResultError(f"A process was never ready at {url}: {output}")

    def _run_admin(self, statement: str, name: str) -> None:
        with psycopg.connect(self.postgres.url_of("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))  # pyright: ignore[reportArgumentType] - the two above
