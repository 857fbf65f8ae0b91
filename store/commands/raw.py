"""`raw`: the last raw payloads, and those that come."""

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from store.commands.command import OK, Command
from store.postgres import connections, errors
from store.reading import raw_tail

PAUSE = 0.25
"""Seconds between two looks at what arrived."""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--follow", action="store_true", help="and then each as it arrives")
    parser.add_argument("--last", type=int, default=10, metavar="N", help="how many to begin with (10)")
    parser.add_argument("--json", action="store_true", help="for machines, one a line")


def _run(chosen: Namespace, environ: Mapping[str, str]) -> int:
    with connections.open(connections.url(environ), "raw") as connection:
        with errors.translated():
            tail = raw_tail.Tail(raw_tail.last(connection, max(chosen.last, 0)))
        while True:
            with errors.translated():
                new = tail.look(connection)
            for payload in new:
                if chosen.json:
                    print(json.dumps(payload.document(), ensure_ascii=False))
                else:
                    print(f"# {payload.event_id} {payload.received} {payload.outcome}\n{payload.text}")
            sys.stdout.flush()
            if not chosen.follow:
                return OK
            time.sleep(PAUSE)


COMMAND = Command("raw", "print the last raw payloads", _run, _arguments)
