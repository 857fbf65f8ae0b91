"""`python -m dev.generator.generate`: fills a migrated, empty database with a made-up history, ten million messages in minutes.

A few chats hold a hundredth of all messages each, the others fewer and fewer. There are no raw events behind it, so
nothing of it can be replayed. Interrupted, it goes on where it was.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString

import psycopg

from dev.errors import StartError
from dev.generator import steps
from dev.generator.steps import Connection, Plan

PART = 200_000
"""Messages in one transaction, of which an interruption loses at most one per job."""
JOBS = 2
"""Connections that write at the same time."""
SETTINGS: tuple[LiteralString, ...] = (
    "SET synchronous_commit = off",
    "SET maintenance_work_mem = '1GB'",
    "SET work_mem = '256MB'",
    "SET statement_timeout = 0",
)


class Generator:
    """One run on one database."""

    def __init__(self, database_url: str, plan: Plan, *, said: bool) -> None:
        self._url = database_url
        self._plan = plan
        self._said = said
        self._begun = time.monotonic()

    def run(self, jobs: int) -> None:
        """All that is not done yet, with so many connections at a time."""
        with self._connected() as connection:
            steps.frame(connection, self._plan, PART)
            self._say(f"{self._plan.chats:,} chats")
            self._together(self._parts, jobs)
            waiting = steps.missing_indexes(connection)
        self._together(lambda: self._indexes(waiting), jobs)
        with self._connected() as connection:
            connection.execute("ANALYZE")
            steps.finish(connection, self._plan)
            self._say("chats and feed")
            # So that a table is read from its index alone, as it would be after a night of autovacuum.
            connection.execute("VACUUM ANALYZE")
            steps.forget(connection)
        self._say("done")

    def _parts(self) -> None:
        with self._connected() as connection:
            while (upto := steps.write_part(connection, self._plan)) is not None:
                self._say(f"part up to message {upto:,}")

    def _indexes(self, waiting: list[tuple[str, str]]) -> None:
        with self._connected() as connection:
            while waiting:
                name, definition = waiting.pop(0)
                steps.index(connection, definition)
                self._say(f"index {name}")

    def _together(self, job: "steps.Job", jobs: int) -> None:
        with ThreadPoolExecutor(jobs) as pool:
            for done in [pool.submit(job) for _ in range(jobs)]:
                done.result()

    def _connected(self) -> Connection:
        connection = psycopg.connect(self._url, autocommit=True, application_name="generator")
        for setting in SETTINGS:
            connection.execute(setting)
        return connection

    def _say(self, what: str) -> None:
        if self._said:
            print(f"{time.monotonic() - self._begun:7.1f} s  {what}", flush=True)


def generate(database_url: str, messages: int, chats: int, *, jobs: int = JOBS, said: bool = False) -> None:
    """Fill the database; raises StartError if there is something else in it."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        plan = steps.begin(connection, messages, chats)
    Generator(database_url, plan, said=said).run(jobs)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.generator.generate", description=__doc__)
    parser.add_argument("--database-url", required=True, help="migrated (python -m store migrate), and empty")
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--chats", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=JOBS, help="connections that write at the same time")
    chosen = parser.parse_args(arguments)
    try:
        generate(chosen.database_url, chosen.messages, chosen.chats, jobs=chosen.jobs, said=True)
    except (StartError, psycopg.Error) as error:
        print(f"generator: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
