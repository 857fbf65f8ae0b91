"""Provides a stream, workers and a database without ingest, for tests of the worker."""

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from dev.chaos import verdict
from dev.embedded.managed_process import ManagedProcess
from ingest.queue import contract
from tests.support.history import ledger_counts
from tests.support.processes.preloaded_python import PreloadedProcess
from tests.support.stream.stream_writer import StreamWriter, connect
from worker.drain.stream import StreamConsumer


class WorkerPipeline:
    """A pipeline whose workers are killed when the test ends."""

    def __init__(self, database_url: str, redis_url: str, folder: Path) -> None:
        self.database_url = database_url
        self.worker_database_url = database_url
        """The URL for the workers, which may be that of a proxy."""
        self.redis_url = redis_url
        self.redis: Any = connect(redis_url)
        """Untyped, because redis-py types replies as unions, and a test knows which type arrives."""
        self.feed = StreamWriter(self.redis)
        self.workers: list[ManagedProcess] = []
        self._folder = folder

    def create_worker(self, *, prelude: str | None = None, **environment: str) -> ManagedProcess:
        """Return a worker that is not started. By default, its environment names this pipeline.

        With a prelude, even an empty one, it is a new Python process.
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
        """The name of the database."""
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
        """Keep a session open that has executed the statement."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue] - a test's own
            yield

    def has_lock_waiter(self) -> bool:
        """Return whether a session of a worker waits for a lock."""
        return self.count_lock_waiters() > 0

    def count_lock_waiters(self) -> int:
        """Return the number of workers' sessions that wait for a lock."""
        query = """
            SELECT FROM pg_stat_activity
            WHERE application_name = 'worker' AND wait_event_type = 'Lock' AND datname = current_database()
        """
        return len(self.fetch_rows(query))

    def count_ledger_events(self) -> int:
        """Return the number of events in the ledger."""
        return ledger_counts.count_events(self.database_url)

    def count_entries(self) -> int:
        """Return the number of entries in the stream that are not committed."""
        return StreamConsumer(self.redis, "test").state().uncommitted

    def count_pending(self) -> int:
        """Return the number of entries that a worker has claimed and not acknowledged."""
        groups: Any = self.redis.xinfo_groups(contract.STREAM) if self.redis.exists(contract.STREAM) else ()
        return sum(int(group["pending"]) for group in groups)

    def wait_until_drained(self, seconds: float = 20.0, *, restart_workers: bool = True) -> bool:
        """Return whether all events are in the ledger and acknowledged to the stream within `seconds`."""
        return self.wait_until(
            lambda: self.count_ledger_events() >= len(self.feed.written_bodies) and self.count_entries() == 0,
            seconds,
            restart_workers=restart_workers,
        )

    def wait_until(self, condition: Callable[[], bool], seconds: float = 20.0, *, restart_workers: bool = True) -> bool:
        """Return whether the condition held in time. A worker that ends is restarted, as by a supervisor."""
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
        """Return the model's verdict on the database for these events."""
        return verdict.judge(self.database_url, self.feed.written_bodies if acknowledged is None else acknowledged)
