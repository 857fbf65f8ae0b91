"""Writes a generated history into a migrated, empty database."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString

import psycopg

from dev.generator import steps
from dev.generator.steps import HistorySize
from store.postgres.connections import Connection

BATCH_MESSAGES = 200_000
"""The number of messages in one transaction. An interruption loses at most one per job."""
CONNECTIONS = 2
"""The number of connections that write concurrently."""
SESSION_SETTINGS: tuple[LiteralString, ...] = (
    "SET synchronous_commit = off",
    "SET maintenance_work_mem = '1GB'",
    "SET work_mem = '256MB'",
    "SET statement_timeout = 0",
)


class HistoryGenerator:
    """One run on one database."""

    def __init__(self, database_url: str, size: HistorySize, *, verbose: bool) -> None:
        self._url = database_url
        self._size = size
        self._verbose = verbose
        self._begun = time.monotonic()

    def run(self, connections: int) -> None:
        """Write everything that is not done yet, with this many connections."""
        with self._connect() as connection:
            steps.set_up(connection, self._size, BATCH_MESSAGES)
            self._print_progress(f"{self._size.chats:,} chats")
            self._run_parallel(self._write_batches, connections)
            waiting = steps.missing_indexes(connection)
        self._run_parallel(lambda: self._build_indexes(waiting), connections)
        with self._connect() as connection:
            connection.execute("ANALYZE")
            steps.finish(connection, self._size)
            self._print_progress("chats and feed")
            # A vacuum lets PostgreSQL read a table from its index alone, as after a night of autovacuum.
            connection.execute("VACUUM ANALYZE")
            steps.drop_bookkeeping(connection)
        self._print_progress("done")

    def _write_batches(self) -> None:
        with self._connect() as connection:
            while (last_message := steps.write_batch(connection, self._size)) is not None:
                self._print_progress(f"part up to message {last_message:,}")

    def _build_indexes(self, missing: list[tuple[str, str]]) -> None:
        with self._connect() as connection:
            while missing:
                name, definition = missing.pop(0)
                steps.create_index(connection, definition)
                self._print_progress(f"index {name}")

    def _run_parallel(self, job: "steps.ParallelTask", connections: int) -> None:
        with ThreadPoolExecutor(connections) as pool:
            for done in [pool.submit(job) for _ in range(connections)]:
                done.result()

    def _connect(self) -> Connection:
        connection = psycopg.connect(self._url, autocommit=True, application_name="generator")
        for setting in SESSION_SETTINGS:
            connection.execute(setting)
        return connection

    def _print_progress(self, step: str) -> None:
        if self._verbose:
            print(f"{time.monotonic() - self._begun:7.1f} s  {step}", flush=True)


def generate(
    database_url: str, messages: int, chats: int, *, connections: int = CONNECTIONS, verbose: bool = False
) -> None:
    """Fill the database. Raises StartError if it contains other data."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        size = steps.start_or_resume(connection, messages, chats)
    HistoryGenerator(database_url, size, verbose=verbose).run(connections)
