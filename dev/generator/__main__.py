"""`python -m dev.generator`: fills a migrated, empty database with a generated history.

A few chats hold one percent of all messages each; the others hold fewer and fewer. The history has no raw events, so
it cannot be replayed. After an interruption, run it again: it continues.
"""

import argparse
import sys
from collections.abc import Sequence

import psycopg

from dev.errors import StartError
from dev.generator.generate import CONNECTIONS, generate


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.generator", description=__doc__)
    parser.add_argument("--database-url", required=True, help="migrated (python -m store migrate), and empty")
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--chats", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=CONNECTIONS, help="connections that write at the same time")
    options = parser.parse_args(arguments)
    try:
        generate(options.database_url, options.messages, options.chats, connections=options.jobs, verbose=True)
    except (StartError, psycopg.Error) as error:
        print(f"generator: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
