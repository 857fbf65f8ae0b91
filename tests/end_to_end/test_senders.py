"""Tests requests of all kinds of senders over HTTP, through ingest, Redis and a worker, into one history."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from psycopg.rows import dict_row

from store.ledger import ledger
from store.ledger.ledger import Ledger
from store.postgres import connections
from tests.support.history.history_writer import API_TOKEN, ApiClient
from tests.support.processes.api_server import running_api
from tests.support.processes.ingest_process import IngestProcess
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.senders import reported_conversations, sender_requests
from tests.support.senders.sender_requests import SENDERS, SenderRequest

COLUMNS = {
    "direction": "direction",
    "type": "message_type",
    "raw_type": "raw_type",
    "text": "original_text",
    "caption": "caption",
    "media_url": "media_url",
    "mime_type": "mime_type",
    "file_name": "file_name",
    "reply_to": "reply_to",
    "sender": "sender",
    "sender_name": "sender_name",
    "chat": "address",
    "timestamp_ms": "timestamp",
}
UPDATE_COLUMNS = {
    "status": "status",
    "text": "text",
    "emoji": "text",
    "direction": "direction",
    "sender": "sender",
    "chat": "address",
    "timestamp_ms": "occurred_at",
}
CHATS = ("919811000001", "120363041234567890@g.us")
"""The chats of a conversation that all senders report, each with gaps. The recorded requests belong to other chats."""
START = 1_789_000_000
UPDATE_KINDS = frozenset({"ack", "edit", "delete", "reaction"})
STATUSES = ("pending", "sent", "failed", "delivered", "read", "played")
"""In the order in which they replace each other."""


def post(ingest: IngestProcess, request: SenderRequest) -> int:
    return ingest.request("POST", request.path, request.body, request.headers).status


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")  # Evolution's key in the payloads is short
def test_requests_of_all_senders_shuffled_and_doubled_are_one_exact_history(
    pipeline: WorkerPipeline, tmp_path: Path
) -> None:
    """Each message equals its request, whatever arrived before, and a second delivery changes nothing."""
    sender_requests.write_senders(tmp_path)
    webhooks = [request for request in sender_requests.load_requests() if request.method == "POST"]
    handshakes = [request for request in sender_requests.load_requests() if request.method == "GET"]
    chance = random.Random(17)
    posts, actions = reported_conversations.report(chance, SENDERS, CHATS, START)
    told = [sender_requests.signed(sender.partition(":")[0], body) for sender, body in posts]
    deliveries = (webhooks + told) * 2
    chance.shuffle(deliveries)
    with IngestProcess(pipeline.redis_url, tmp_path) as ingest:
        for handshake in handshakes:
            answer = ingest.request("GET", handshake.path, b"", handshake.headers)
            assert (answer.status, answer.body.decode()) == (200, handshake.expect["response_body"])
        assert {post(ingest, request) for request in deliveries} == {200}
        assert {post(ingest, request) for request in sender_requests.forgeries(webhooks)} == {401}
        pipeline.create_worker(DATA_DIR=str(tmp_path)).start()
        assert pipeline.wait_until(lambda: _is_settled(_read_ledger(pipeline))), pipeline.worker_output
        assert pipeline.wait_until(lambda: _is_one_account(pipeline)), pipeline.worker_output
        counted = _read_ledger(pipeline)

    kinds = Counter(_outcome(request.expect["kind"]) for request in webhooks)
    assert (counted.received, counted.parked) == (len(deliveries), 2 * kinds["parked"])
    assert counted.stored >= kinds["stored"] + len(told)

    assert pipeline.fetch_rows("SELECT count(*) FROM raw_events WHERE sender IS NULL") == [(0,)]
    assert pipeline.fetch_rows("SELECT count(*) FROM raw_events WHERE body LIKE '%%MADE-UP-INSTANCE%%'") == [(0,)]
    wrong = [f"{request.kind} {request.name}: {fault}" for request in webhooks for fault in _faults(pipeline, request)]
    assert wrong == []
    messages = {(request.kind, fact["message_id"]) for request in webhooks for fact in _facts(request, "message")}
    stored = pipeline.fetch_rows("SELECT split_part(session_id, '-', 1), message_id FROM whatsapp_messages")
    spoken = {(kind, message_id) for kind, message_id in stored if (kind, message_id) not in messages}
    assert messages < set(stored)
    assert len(stored) == len(messages) + len(spoken)
    assert {message_id for _, message_id in spoken} == reported_conversations.expected(actions).keys()
    with running_api({"DATABASE_URL": pipeline.database_url, "API_TOKEN": API_TOKEN}) as url:
        facts = [fact for request in webhooks for fact in _facts(request)]
        with requests.Session() as http:
            http.headers["Authorization"] = f"Bearer {API_TOKEN}"
            client = ApiClient(url, http)
            assert list(_faults_of_conversations(client, facts)) == []
            shown = [
                (message["message_id"], reported_conversations.as_shown(message))
                for chat in CHATS
                for message in client.get_data(f"/api/chats/{chat}", limit=200)["messages"]
            ]
            assert len(shown) == len(dict(shown))
            assert dict(shown) == reported_conversations.expected(actions)


def _read_ledger(pipeline: WorkerPipeline) -> Ledger:
    with connections.open(pipeline.database_url, "test") as connection:
        return ledger.read(connection)


def _is_settled(counted: Ledger) -> bool:
    return counted.exact and counted.waiting == 0


def _is_one_account(pipeline: WorkerPipeline) -> bool:
    """Return whether the sessions, which report the same number, are joined, and their histories merged."""
    rows = pipeline.fetch_rows("SELECT count(*), bool_and(is_merged) FROM account_sessions")
    return rows == [(len(SENDERS), True)]


def _outcome(expected: str) -> str:
    return {"noise": "noise", "poll_vote": "noise", "ping": "ping", "unknown": "parked"}.get(expected, "stored")


def _faults(pipeline: WorkerPipeline, request: SenderRequest) -> Iterator[str]:
    """Return the differences between the rows of the request and its expectation."""
    for fact in _facts(request):
        if fact["kind"] in UPDATE_KINDS and len(found := _updates(pipeline, fact)) != 1:
            yield f"{len(found)} rows of {fact['kind']} {fact['message_id']}"
        if fact["kind"] != "message":
            continue
        rows = _rows(pipeline, request, fact["message_id"])
        if len(rows) != 1:
            yield f"{len(rows)} rows"
            continue
        for key, column in COLUMNS.items():
            shown = rows[0][column] if key != "text" else rows[0]["original_text"] or rows[0]["message_text"]
            # An edit replaces a caption as it does a text, and a deletion hides both.
            if key in fact and shown != fact[key] and not rows[0]["edited_at"] and not rows[0]["deleted_at"]:
                yield f"{key} is {shown!r}, not {fact[key]!r}"


def _facts(request: SenderRequest, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the facts of this kind that the request contains."""
    facts = request.expect["facts"] if request.expect["kind"] == "batch" else [request.expect]
    return [fact for fact in facts if kind in (None, fact["kind"])]


def _updates(pipeline: WorkerPipeline, fact: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the stored updates that contain all values of the fact."""
    with psycopg.connect(pipeline.database_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            SELECT u.*, c.address
            FROM message_updates AS u
            JOIN message_keys AS k USING (key_id)
            LEFT JOIN chats AS c USING (chat_id)
            WHERE k.message_id = %s AND u.kind = %s
            """,
            [fact["message_id"], fact["kind"]],
        ).fetchall()
    expected = {column: fact[key] for key, column in UPDATE_COLUMNS.items() if key in fact}
    return [row for row in rows if row | expected == row]


def _rows(pipeline: WorkerPipeline, request: SenderRequest, message_id: str) -> list[dict[str, Any]]:
    with psycopg.connect(pipeline.database_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT m.*, c.address
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            WHERE m.message_id = %s AND m.session_id LIKE %s
            """,
            [message_id, f"{request.kind}-shop:%"],
        ).fetchall()


def _faults_of_conversations(client: ApiClient, facts: list[dict[str, Any]]) -> Iterator[str]:
    """Return the differences between the displayed messages and the result of applying the updates."""
    messages = {fact["message_id"]: fact for fact in facts if fact["kind"] == "message"}
    shown = {
        message["message_id"]: message
        for chat in {fact["chat"] for fact in messages.values()}
        for message in client.get_data(f"/api/chats/{chat}", limit=200)["messages"]
    }
    for message_id in messages.keys() - shown.keys():
        yield f"{message_id} is not shown"
    # The newest reaction of a reactor counts.
    for fact in sorted(facts, key=lambda fact: fact.get("timestamp_ms", 0), reverse=True):
        if fact["kind"] not in UPDATE_KINDS or fact["message_id"] not in shown:
            continue
        message = shown[fact["message_id"]]
        match fact["kind"]:
            case "ack":
                is_shown = STATUSES.index(message["status"]) >= STATUSES.index(fact["status"])
            case "delete":
                is_shown = message["deleted"] and message["message_text"] is None
            case "edit":
                is_shown = message["deleted"] or fact["text"] in (message["message_text"], message["caption"])
            case _:
                newest = message.setdefault("newest", fact["emoji"])
                is_shown = [reaction["emoji"] for reaction in message["reactions"]] == ([newest] if newest else [])
        if not is_shown:
            yield f"{fact['kind']} of {fact['message_id']} is not shown: {message}"
