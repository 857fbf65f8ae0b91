"""`python -m dev.generator`: fills a migrated, empty database with a made-up history, ten million messages in minutes.

A few chats hold a hundredth of all messages each, the others fewer and fewer. There are no raw events behind it, so
nothing of it can be replayed. Interrupted, it goes on where it was.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import LiteralString

import psycopg

from dev import generatorsteps as steps
from dev.failure import StartError

CHUNK = 250_000
"""Messages in one transaction."""
SETTINGS: tuple[LiteralString, ...] = (
    "SET synchronous_commit = off",
    "SET maintenance_work_mem = '1GB'",
    "SET work_mem = '256MB'",
    "SET statement_timeout = 0",
)


def generate(database_url: str, messages: int, chats: int, *, said: bool = False) -> None:
    """Fill the database; raises StartError if there is something else in it."""
    begun = time.monotonic()

    def say(what: str) -> None:
        if said:
            print(f"{time.monotonic() - begun:7.1f} s  {what}", flush=True)

    with psycopg.connect(database_url, autocommit=True, application_name="generator") as connection:
        for setting in SETTINGS:
            connection.execute(setting)
        plan = steps.begin(connection, messages, chats)
        if plan.done == 0:
            with connection.transaction():
                steps.frame(connection, plan)
            say(f"{chats:,} chats")
        while plan.done < messages:
            with connection.transaction():
                plan = steps.messages(connection, plan, CHUNK)
            say(f"{plan.done:,} messages")
        steps.finish(connection, plan, say)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.generator", description=__doc__)
    parser.add_argument("--database-url", required=True, help="migrated (python -m store migrate), and empty")
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--chats", type=int, default=100_000)
    chosen = parser.parse_args(arguments)
    try:
        generate(chosen.database_url, chosen.messages, chosen.chats, said=True)
    except (StartError, psycopg.Error) as error:
        print(f"generator: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
