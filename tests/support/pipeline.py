"""A stream, workers and a database of their own, without ingest: what a test about the worker needs."""

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from dev.chaos import verdict
from dev.chaos.stream_writer import StreamWriter, connect
from dev.embedded.managed_process import ManagedProcess
from ingest.queue import contract
from tests.support.preloaded_python import PreloadedProcess
from worker.drain.stream import StreamConsumer


class WorkerPipeline:
    """Its workers are killed when the test ends."""

    def __init__(self, database_url: str, redis_url: str, folder: Path) -> None:
        self.database_url = database_url
        self.worker_database_url = database_url
        """Where workers are told to go, if not there: a proxy, for one."""
        self.redis_url = redis_url
        self.redis: Any = connect(redis_url)
        """Untyped: what redis-py says of its replies are unions of which a test knows the one that comes."""
        self.feed = StreamWriter(self.redis)
        self.workers: list[ManagedProcess] = []
        self._folder = folder

    def create_worker(self, *, prelude: str | None = None, **environment: str) -> ManagedProcess:
        """A worker that is not started yet; its environment names this pipeline unless told otherwise.

        With a prelude, even an empty one, it is a Python of its own.
        """
        environment = {"DATABASE_URL": self.worker_database_url, "REDIS_URL": self.redis_url, **environment}
        log_path = self._folder / f"worker-{id(self)}-{len(self.workers)}.log"
        if prelude is None:
            worker = PreloadedProcess("worker", environment, log_path)
        else:
            worker = ManagedProcess("worker", environment, log_path, prelude=prelude)
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self.workers:
            worker.__exit__(None, None, None)
        self.redis.close()

    @property
    def database_name(self) -> str:
        """The database's."""
        return urlsplit(self.database_url).path.strip("/")

    @property
    def worker_output(self) -> str:
        return "\n".join(worker.output for worker in self.workers)

    def fetch_rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()  # pyright: ignore[reportArgumentType] - a test's own

    def execute(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement, values)  # pyright: ignore[reportArgumentType] - a test's own

    @contextmanager
    def hold_session(self, statement: str) -> Generator[None]:
        """A session that has run the statement and sits there."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue] - a test's own
            yield

    def has_lock_waiter(self) -> bool:
        """Whether a worker's session waits for a lock."""
        return self.count_lock_waiters() > 0

    def count_lock_waiters(self) -> int:
        """How many workers' sessions wait for a lock."""
        query = """
            SELECT FROM pg_stat_activity
            WHERE application_name = 'worker' AND wait_event_type = 'Lock' AND datname = current_database()
        """
        return len(self.fetch_rows(query))

    def count_ledger_events(self) -> int:
        """How many events the ledger has."""
        return verdict.count_ledger_events(self.database_url)

    def count_entries(self) -> int:
        """How many entries the stream has that are not committed."""
        return StreamConsumer(self.redis, "test").state().uncommitted

    def count_pending(self) -> int:
        """How many entries some worker took and has not acknowledged."""
        groups: Any = self.redis.xinfo_groups(contract.STREAM) if self.redis.exists(contract.STREAM) else ()
        return sum(int(group["pending"]) for group in groups)

    def wait_until_drained(self, seconds: float = 20.0, *, restart_workers: bool = True) -> bool:
        """Whether all that was fed is in the ledger, and acknowledged to the stream, before the time is over."""
        return self.wait_until(
            lambda: self.count_ledger_events() >= len(self.feed.written_bodies) and self.count_entries() == 0,
            seconds,
            restart_workers=restart_workers,
        )

    def wait_until(self, condition: Callable[[], bool], seconds: float = 20.0, *, restart_workers: bool = True) -> bool:
        """Whether it came true in time; meanwhile a worker that ends is started again, as a supervisor would."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            for worker in self.workers:
                if restart_workers and worker.start_count:
                    worker.restart_if_ended()
            time.sleep(0.02)
        return True

    def judge(self, acknowledged: Iterable[bytes] | None = None) -> verdict.Verdict:
        """What the model says of the database, for what was fed."""
        return verdict.judge(self.database_url, self.feed.written_bodies if acknowledged is None else acknowledged)
