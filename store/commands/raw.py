"""`raw`: the last raw payloads, and those that come."""

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from store.commands.command import OK, Command
from store.postgres import connections, errors
from store.reading import raw_tail

POLL_SECONDS = 0.25
"""Seconds between two looks at what arrived."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--follow", action="store_true", help="and then each as it arrives")
    parser.add_argument("--last", type=int, default=10, metavar="N", help="how many to begin with (10)")
    parser.add_argument("--json", action="store_true", help="for machines, one a line")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    with connections.open(connections.url(environ), "raw") as connection:
        with errors.translated():
            tail = raw_tail.RawTail(raw_tail.event_id_before_last(connection, max(options.last, 0)))
        while True:
            with errors.translated():
                new = tail.poll(connection)
            for payload in new:
                if options.json:
                    print(json.dumps(payload.to_json(), ensure_ascii=False))
                else:
                    print(f"# {payload.event_id} {payload.received_iso} {payload.outcome}\n{payload.printable_text}")
            sys.stdout.flush()
            if not options.follow:
                return OK
            time.sleep(POLL_SECONDS)


COMMAND = Command("raw", "print the last raw payloads", _run, _add_arguments)
