"""Tests `python -m store raw`."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence

import psycopg

from store.postgres import connections
from store.reading import raw_tail
from tests.support.generated_history import batches, world
from tests.support.history.replaying import text_event


def command(database_url: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "store", "raw", *arguments],
        env={"DATABASE_URL": database_url, "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def keep(database_url: str, number: int, bodies: Sequence[bytes]) -> None:
    with connections.open(database_url, "test") as connection:
        batches.store_batches(
            connection,
            [batches.make_batch([(body, world.BASE_TIME) for body in bodies], number=number, upto=number * 100)],
        )


def test_the_latest_events_are_printed_unchanged(database_url: str) -> None:
    """An operator who connects a gateway needs the exact events and their outcomes."""
    keep(database_url, 1, [text_event(f"text {number}", number) for number in range(12)])
    keep(database_url, 2, [b"\x1b[31m not JSON"])

    out, _ = command(database_url, "--last", "2").communicate(timeout=30)

    assert out == (
        f"# 12 2024-12-19T15:10:00.000+00:00 stored\n{text_event('text 11', 11).decode()}\n"
        "# 13 2024-12-19T15:10:00.000+00:00 parked: not_json\n\\x1b[31m not JSON\n"
    )


def test_follow_prints_each_event_when_it_arrives(database_url: str) -> None:
    """SAK's guide uses a web page for this, but here it is a command."""
    keep(database_url, 1, [text_event("before", 1)])
    process = command(database_url, "--follow", "--json", "--last", "1")
    assert process.stdout is not None
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    first = process.stdout.readline()
    keep(database_url, 2, [text_event("after", 2)])
    second = process.stdout.readline()
    process.terminate()
    process.communicate()
    watchdog.cancel()

    assert [json.loads(json.loads(line)["body"])["text"] for line in (first, second)] == ["before", "after"]


def test_an_event_that_becomes_visible_late_is_not_skipped(database_url: str) -> None:
    """Two workers may commit in another order than their events are numbered, so a growing cursor would miss one."""
    digests = "INSERT INTO event_digests (digest, received_at, outcome) VALUES (%s, 0, 'noise')"
    events = "INSERT INTO raw_events (digest, received_at, body) VALUES (%s, 0, %s)"
    with connections.open(database_url, "test") as reader, psycopg.connect(database_url) as slow:
        tail = raw_tail.RawTail(0)
        slow.execute(digests, [b"slow"])
        slow.execute(events, [b"slow", b"slow"])
        with psycopg.connect(database_url) as quick:
            quick.execute(digests, [b"quick"])
            quick.execute(events, [b"quick", b"quick"])
        seen = [[payload.body for payload in tail.poll(reader)] for _ in range(3)]
        slow.commit()
        seen += [[payload.body for payload in tail.poll(reader)] for _ in range(3)]

        assert seen == [[b"quick"], [], [], [b"slow"], [], []]
        assert tail.complete_up_to == 2
