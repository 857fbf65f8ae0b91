"""The restore drill: a server is lost with what it alone had, and everybody goes on from a backup on another one."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from dev import home, listening
from dev.chaos import ledger, verdict
from dev.chaos.feed import client
from dev.chaos.program import Program
from dev.chaos.sender import Sender
from dev.chaos.story import SECRET, Story, sign
from dev.postgres import Postgres
from dev.process import ROOT
from dev.valkey import Valkey
from ingest import queue
from tests.faults.pipeline import Pipeline

TOKEN = "made-up-for-the-drill"
NEEDLE = "unmistakable"


def store(url: str, *arguments: object) -> str:
    """What `python -m store …` said, having done it."""
    done = subprocess.run(
        [sys.executable, "-m", "store", *map(str, arguments)],
        env=os.environ | {"DATABASE_URL": url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def batches(url: str) -> dict[tuple[str, int], int]:
    """How many events each batch has that the database kept."""
    return {
        (writer.hex, number): size for writer, number, size in rows(url, "SELECT writer, number, size FROM batches")
    }


def bodies(url: str) -> set[bytes]:
    return {bytes(body) for (body,) in rows(url, "SELECT body FROM events")}


class Drill:
    """An ingest that lives through it all, and workers and APIs on one server after the other."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.valkey = stack.enter_context(Valkey(folder / "valkey"))
        self.old = stack.enter_context(Postgres(folder / "old", ephemeral=True))
        listener = stack.enter_context(listening.on("127.0.0.1", 0, "INGEST_PORT"))
        self.port = listening.port_of(listener)
        number = listener.fileno()
        self._shared = {"REDIS_URL": self.valkey.url, "DATA_DIR": str(folder), "API_TOKEN": TOKEN}
        self.ingest = stack.enter_context(
            Program(
                "ingest",
                self._shared | {"WEBHOOK_SECRETS": SECRET, "LISTEN_FD": str(number)},
                folder / "ingest.log",
                pass_fds=[number],
            )
        )
        self.redis: Any = stack.enter_context(closing(client(self.valkey.url)))
        self._api_listener = stack.enter_context(listening.on("127.0.0.1", 0, "API_PORT"))

    def worker(self, url: str) -> Program:
        return self.stack.enter_context(
            Program("worker", self._shared | {"DATABASE_URL": url}, self.folder / "worker.log")
        )

    def api(self, url: str) -> Program:
        number = self._api_listener.fileno()
        api = Program(
            "api",
            self._shared | {"DATABASE_URL": url, "LISTEN_FD": str(number)},
            self.folder / "api.log",
            pass_fds=[number],
        )
        self.stack.enter_context(api)
        until(lambda: self.ask("GET", "/readyz").status_code == 200)
        return api

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own
        headers = {"Authorization": f"Bearer {TOKEN}", **options.pop("headers", {})}
        url = f"http://127.0.0.1:{listening.port_of(self._api_listener)}{path}"
        return requests.request(method, url, headers=headers, timeout=30, **options)

    def data(self, path: str) -> dict[str, Any]:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def post(self, body: bytes) -> bytes:
        """One webhook, acknowledged."""
        url = f"http://127.0.0.1:{self.port}/whatsapp-webhook"
        assert requests.post(url, data=body, headers={"X-Webhook-Signature": sign(body)}, timeout=30).ok
        return body

    def send(self, seconds: float, events: Story) -> list[bytes]:
        """Webhooks at a rate, for a while; returns those that were acknowledged."""
        with Sender(self.port, events, rate=60) as sender:
            time.sleep(seconds)
        assert not sender.record.doubtful
        return sender.record.acknowledged

    def waiting(self) -> list[queue.Batch]:
        return [queue.from_fields(fields) for _, fields in self.redis.xrange(queue.STREAM)]


@pytest.fixture
def drill() -> Iterator[Drill]:
    folder = home.temporary()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield Drill(folder, stack)


def message(number: int, *, text: str = "hello") -> bytes:
    body = {
        "event": "message.received",
        "sessionId": "44444444-4444-4555-8666-777777777777",
        "from": "919811000077@s.whatsapp.net",
        "messageId": f"3EB0D0{number:06}",
        "timestamp": 1_760_000_000 + number,
        "type": "conversation",
        "text": text,
        "wa_id": "919811000077",
        "from_number": "+919811000077",
        "pushName": "Asha",
    }
    return json.dumps(body).encode()


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_lost_server_is_replaced_from_its_backup_and_the_ledger_says_what_is_missing(drill: Drill) -> None:
    """What was kept after the backup died with the server, and is named; all else is there, once."""
    store(drill.old.url, "migrate")
    # The old server has been through more transactions than the new one will be for long.
    rows_of_nothing = "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
    with psycopg.connect(drill.old.url, autocommit=True) as connection:
        connection.execute(rows_of_nothing.encode())
    worker, api = drill.worker(drill.old.url), drill.api(drill.old.url)
    story = Story(81)
    early = [drill.post(message(number, text=f"{NEEDLE} {number}")) for number in range(5)]
    early += drill.send(2, story)
    until(lambda: verdict.kept_events(drill.old.url) >= len(early))
    page = drill.data("/api/chats/919811000077")
    cursor = drill.data("/api/changes")["cursor"]
    with Sender(drill.port, story, rate=60) as sender:
        said = store(drill.old.url, "backup", drill.folder / "history.backup")
    during = sender.record.acknowledged
    after = drill.send(2, story)
    until(lambda: verdict.kept_events(drill.old.url) == len(early) + len(during) + len(after))
    worker.kill()
    waiting = drill.send(1, story)
    in_stream = drill.waiting()
    before = batches(drill.old.url)
    drill.old.kill()
    api.kill()
    # Redis is away, too, for a moment.
    drill.valkey.stop()
    spooled = [drill.post(message(number)) for number in (200, 201)]
    drill.redis.close()
    drill.valkey.start()

    new = drill.stack.enter_context(Postgres(drill.folder / "new", ephemeral=True))
    assert [line for line in said.splitlines() if " stored " in line] == [
        line for line in store(new.url, "restore", drill.folder / "history.backup").splitlines() if " stored " in line
    ]
    restored, known = batches(new.url), bodies(new.url)
    assert {body for batch in in_stream for body in batch.bodies} == set(waiting)
    drill.worker(new.url)
    drill.api(new.url)
    later = [*spooled, drill.post(message(100))]
    again = drill.post(early[0])

    names_what_is_lost(new.url, drill, {key: size for key, size in before.items() if key not in restored})
    acknowledged = [*early, *during, *after, *waiting, *later, again]
    assert ledger.ask(new.url)[1]["received"] == len(acknowledged)
    # Whatever else was acknowledged is there, once, and as it has to be.
    there = bodies(new.url)
    assert there == known | set(waiting) | set(later)
    judged = verdict.judge(new.url, there)
    assert (judged.missing, judged.doubled, judged.foreign, judged.wrong) == (0, 0, 0, [])
    refuses_what_is_of_before(drill, page, cursor)
    marks_what_was_shown(drill, new.url)
    # The search goes on where it was.
    until(lambda: len(drill.data(f"/api/search?q={NEEDLE}")["results"]) == 5)


def names_what_is_lost(url: str, drill: Drill, lost: dict[tuple[str, int], int]) -> None:
    """The ledger names exactly the batches that only the old server had."""
    until(lambda: drill.redis.xlen(queue.STREAM) == 0)
    until(lambda: ledger.ask(url)[1]["lost"])
    code, told = ledger.ask(url)
    named = {(gap["writer"], number) for gap in told["lost"] for number in range(gap["first"], gap["last"] + 1)}

    assert code == 1
    assert {key for key, size in lost.items() if size} <= named <= set(lost)
    assert told["waiting"] == sum(gap["events"] for gap in told["lost"]) == sum(lost.values()) > 0


def refuses_what_is_of_before(drill: Drill, page: dict[str, Any], cursor: str) -> None:
    """Cursors and pages of the old server are refused, not misread."""
    stale = {"up_to": page["messages"][-1]["message_id"], "as_of": page["as_of"]}
    answers = [
        drill.ask("GET", "/api/changes", params={"since": cursor}),
        drill.ask("GET", "/api/stream", headers={"Last-Event-ID": cursor}),
        drill.ask("POST", "/api/chats/919811000077/read", json=stale),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(410, "epoch_changed")] * 3


def marks_what_was_shown(drill: Drill, url: str) -> None:
    """A page of now marks what it showed, although those rows are of transactions that this server is yet to reach."""
    seen = drill.data("/api/chats/919811000077")
    drill.post(message(50, text="came between"))
    until(lambda: len(drill.data("/api/chats/919811000077")["messages"]) == len(seen["messages"]) + 1)
    order = {"up_to": seen["messages"][-1]["message_id"], "as_of": seen["as_of"]}
    marked = drill.ask("POST", "/api/chats/919811000077/read", json=order)
    unread = rows(url, "SELECT message_id FROM whatsapp_messages WHERE unread AND from_number = '919811000077'")

    assert marked.status_code == 200, marked.text
    assert unread == [("3EB0D0000050",)]


def test_restoring_under_running_processes_ends_nobody_and_loses_only_what_is_named(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Whoever restores into the database that everybody is connected to may forget to stop somebody."""
    worker = pipeline.worker().start()
    story = Story(82)
    pipeline.feed.add_all(story.take(60), size=3)
    assert pipeline.drained(), worker.said
    store(pipeline.database_url, "backup", tmp_path / "file")
    kept = batches(pipeline.database_url)
    pipeline.feed.add_all(lost := story.take(60), size=3)
    assert pipeline.drained(), worker.said

    pipeline.feed.add_all(story.take(60), size=3)
    store(pipeline.database_url, "restore", tmp_path / "file", "--yes")
    pipeline.feed.add_all(story.take(60), size=3)

    assert pipeline.until(lambda: pipeline.entries() == 0), worker.said
    assert worker.starts == 1, worker.said
    missing = [number for _, number in batches(pipeline.database_url)]
    named = set(range(1, 81)) - set(missing)
    assert {number for _, number in kept} == set(range(1, 21))
    assert set(range(61, 81)) <= set(missing), "what came after the restore"
    assert set(range(21, 41)) <= named, "what came between backup and restore"
    assert verdict.judge(pipeline.database_url, bodies(pipeline.database_url)).doubled == 0
    assert len(lost) == 60
