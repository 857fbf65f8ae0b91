"""Tests the restore drill: a server is lost with all of its data, and a backup is restored on another server."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dev.chaos import ledger_command, verdict
from dev.chaos.event_generator import EventGenerator
from dev.chaos.webhook_sender import WebhookSender
from dev.embedded.postgres import EmbeddedPostgres
from tests.support.history import ledger_counts
from tests.support.processes.disaster_drill import (
    DisasterDrill,
    batch_sizes,
    event_bodies,
    fetch_rows,
    run_store_command,
    wait_until,
)
from tests.support.processes.pipeline import WorkerPipeline
from worker.drain.stream import StreamConsumer

NEEDLE = "unmistakable"


@pytest.fixture
def drill(server_folder: Path) -> Iterator[DisasterDrill]:
    with ExitStack() as stack:
        yield DisasterDrill(server_folder, stack)


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
def test_a_lost_server_is_replaced_from_its_backup_and_the_ledger_says_what_is_missing(drill: DisasterDrill) -> None:
    """Events that were stored after the backup and are in no stream are reported. All others are stored once."""
    run_store_command(drill.old.url, "migrate")
    # The old server has used more transaction ids than the new one will use for long.
    rows_of_nothing = "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
    with psycopg.connect(drill.old.url, autocommit=True) as connection:
        connection.execute(rows_of_nothing.encode())
    worker, api = drill.start_worker(drill.old.url, STREAM_KEEP_SECONDS="0"), drill.start_api(drill.old.url)
    story = EventGenerator(81)
    early = [drill.post_webhook(message(number, text=f"{NEEDLE} {number}")) for number in range(5)]
    early += drill.send_webhooks(2, story)
    wait_until(lambda: ledger_counts.count_events(drill.old.url) >= len(early))
    page = drill.get_data("/api/chats/919811000077")
    cursor = drill.get_data("/api/changes")["cursor"]
    with WebhookSender(drill.port, story, rate=60) as sender:
        said = run_store_command(drill.old.url, "backup", drill.folder / "history.backup")
    during = sender.deliveries.acknowledged
    after = drill.send_webhooks(2, story)
    wait_until(lambda: ledger_counts.count_events(drill.old.url) == len(early) + len(during) + len(after))
    wait_until(lambda: StreamConsumer(drill.redis, "test").state().length == 0)
    worker.kill()
    waiting = drill.send_webhooks(1, story)
    in_stream = drill.pending_batches()
    before = batch_sizes(drill.old.url)
    drill.old.kill()
    api.kill()
    # Redis is down, too, for a moment.
    drill.valkey.stop()
    spooled = [drill.post_webhook(message(number)) for number in (200, 201)]
    drill.redis.close()
    drill.valkey.start()

    new = drill.stack.enter_context(EmbeddedPostgres(drill.folder / "new", ephemeral=True))
    assert [line for line in said.splitlines() if " stored " in line] == [
        line
        for line in run_store_command(new.url, "restore", drill.folder / "history.backup").splitlines()
        if " stored " in line
    ]
    restored, known = batch_sizes(new.url), event_bodies(new.url)
    assert {body for batch in in_stream for body in batch.bodies} == set(waiting)
    drill.start_worker(new.url)
    drill.start_api(new.url)
    later = [*spooled, drill.post_webhook(message(100))]
    again = drill.post_webhook(early[0])

    names_what_is_lost(new.url, drill, {key: size for key, size in before.items() if key not in restored})
    acknowledged = [*early, *during, *after, *waiting, *later, again]
    assert ledger_command.read(new.url)[1]["received"] == len(acknowledged)
    # All other acknowledged events are stored once and correctly.
    there = event_bodies(new.url)
    assert there == known | set(waiting) | set(later)
    judged = verdict.judge(new.url, there)
    assert (judged.missing_events, judged.duplicate_rows, judged.unexpected_events, judged.wrong_rows) == (0, 0, 0, [])
    refuses_what_is_of_before(drill, page, cursor)
    marks_what_was_shown(drill, new.url)
    # The search resumes where it stopped.
    wait_until(lambda: len(drill.get_data(f"/api/search?q={NEEDLE}")["results"]) == 5)


def names_what_is_lost(url: str, drill: DisasterDrill, lost: dict[tuple[str, int], int]) -> None:
    """Check that the ledger names exactly the batches that only the old server had."""
    wait_until(lambda: StreamConsumer(drill.redis, "test").state().uncommitted == 0)
    wait_until(lambda: ledger_command.read(url)[1]["lost"])
    code, told = ledger_command.read(url)
    named = {(gap["writer"], number) for gap in told["lost"] for number in range(gap["first"], gap["last"] + 1)}

    assert code == 1
    assert {key for key, size in lost.items() if size} <= named <= set(lost)
    assert told["waiting"] == sum(gap["events"] for gap in told["lost"]) == sum(lost.values()) > 0


def refuses_what_is_of_before(drill: DisasterDrill, page: dict[str, Any], cursor: str) -> None:
    """Check that cursors and pages of the old server are refused, and not misread."""
    stale = {"up_to": page["messages"][-1]["message_id"], "as_of": page["as_of"]}
    answers = [
        drill.request("GET", "/api/changes", params={"since": cursor}),
        drill.request("GET", "/api/stream", headers={"Last-Event-ID": cursor}),
        drill.request("POST", "/api/chats/919811000077/read", json=stale),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(410, "epoch_changed")] * 3


def marks_what_was_shown(drill: DisasterDrill, url: str) -> None:
    """Check that a current page marks the messages that it showed.

    Their rows have transaction ids that this server has not reached yet.
    """
    seen = drill.get_data("/api/chats/919811000077")
    drill.post_webhook(message(50, text="came between"))
    wait_until(lambda: len(drill.get_data("/api/chats/919811000077")["messages"]) == len(seen["messages"]) + 1)
    order = {"up_to": seen["messages"][-1]["message_id"], "as_of": seen["as_of"]}
    marked = drill.request("POST", "/api/chats/919811000077/read", json=order)
    unread = fetch_rows(url, "SELECT message_id FROM whatsapp_messages WHERE unread AND from_number = '919811000077'")

    assert marked.status_code == 200, marked.text
    assert unread == [("3EB0D0000050",)]
    # The search uses this server's transaction ids, far below those of the old one.
    wait_until(lambda: drill.get_data("/api/search?q=came+between")["results"])


def test_restoring_under_running_processes_ends_nobody_and_loses_nothing_that_the_stream_keeps(
    pipeline: WorkerPipeline, tmp_path: Path
) -> None:
    """An operator who restores into a database that is in use may forget to stop a process."""
    worker = pipeline.create_worker().start()
    story = EventGenerator(82)
    pipeline.feed.append_all(story.take(60), events_per_batch=3)
    assert pipeline.wait_until_drained(), worker.output
    run_store_command(pipeline.database_url, "backup", tmp_path / "file")
    kept = message_ids(pipeline)
    pipeline.feed.append_all(story.take(60), events_per_batch=3)
    assert pipeline.wait_until_drained(), worker.output
    told = message_ids(pipeline)

    pipeline.feed.append_all(story.take(60), events_per_batch=3)
    run_store_command(pipeline.database_url, "restore", tmp_path / "file", "--yes")
    pipeline.feed.append_all(story.take(60), events_per_batch=3)

    assert pipeline.wait_until_drained(restart_workers=False), worker.output
    assert (found := pipeline.judge()).is_clean, found
    ids = message_ids(pipeline)
    assert {name: ids[name] for name in kept} == kept
    assert not {id_ for name, id_ in ids.items() if name not in kept} & set(told.values()), "an id was given out again"
    assert "applying everything" in worker.output


def message_ids(pipeline: WorkerPipeline) -> dict[str, int]:
    """Return the id of each message in the API."""
    return dict(pipeline.fetch_rows("SELECT message_id, id FROM whatsapp_messages"))  # pyright: ignore[reportArgumentType] - rows of two
