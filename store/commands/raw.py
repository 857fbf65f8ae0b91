"""`raw`: prints the latest raw events and follows new ones."""

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from store.commands.command import OK, Command
from store.postgres import connections, errors
from store.reading import raw_tail

POLL_SECONDS = 0.25
"""The time between two polls, in seconds."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--follow", action="store_true", help="then print each new one")
    parser.add_argument("--last", type=int, default=10, metavar="N", help="how many stored events to print first (10)")
    parser.add_argument("--json", action="store_true", help="print JSON, one event a line")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    with connections.open(connections.url(environ), "raw") as connection:
        with errors.translated():
            tail = raw_tail.RawTail(raw_tail.event_id_before_last(connection, max(options.last, 0)))
        while True:
            with errors.translated():
                payloads = tail.poll(connection)
            for payload in payloads:
                if options.json:
                    print(json.dumps(payload.to_json()))
                else:
                    print(f"# {payload.event_id} {payload.received_iso} {payload.outcome}\n{payload.printable_text}")
            sys.stdout.flush()
            if not options.follow:
                return OK
            time.sleep(POLL_SECONDS)


COMMAND = Command("raw", "print the latest raw events", _run, _add_arguments)
