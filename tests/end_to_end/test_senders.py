"""Requests of all kinds of senders over HTTP, through ingest, Redis and a worker, into one history."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
from psycopg.rows import dict_row

from environment.sender_kinds import KINDS
from store.ledger import ledger
from store.ledger.ledger import Ledger
from store.postgres import connections
from tests.support.ingest_process import IngestProcess
from tests.support.pipeline import WorkerPipeline
from tests.support.sender_payloads import FOLDER

SENDERS = ("meta", "waha", "openwa", "gowa", "evolution", "wuzapi")
VERIFY_TOKEN = "made-up-verify-token-7"
STATIC_SECRETS = {"made-up-static-token-2b": "X-Hook-Token: made-up-static-token-2b"}
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


@dataclass(frozen=True, slots=True)
class SenderRequest:
    kind: str
    name: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    expect: dict[str, Any]


def lines_of(kind: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()]


def load_requests() -> Iterator[SenderRequest]:
    for kind in SENDERS:
        for line in lines_of(kind):
            headers: dict[str, str] = line["headers"]
            if "jwt" in line:
                claims = line["jwt"]["claims"] | {"iat": int(time.time()), "exp": int(time.time()) + 600}
                encoded = jwt.encode(claims, line["jwt"]["signed_with"], "HS256")  # pyright: ignore[reportUnknownMemberType] - partly typed
                headers = {name: value.replace("{jwt}", encoded) for name, value in headers.items()}
            query = f"?{line['query']}" if "query" in line else ""
            path = f"/webhooks/{kind}-shop{query}"
            body = line["body"].encode()
            yield SenderRequest(kind, line["name"], line.get("method", "POST"), path, headers, body, line["expect"])


def write_senders(folder: Path) -> None:
    """A sender per kind, with the secrets of its requests."""
    sections: list[str] = []
    for kind in SENDERS:
        secrets = dict.fromkeys(line["secret"] for line in lines_of(kind) if line["secret"] != VERIFY_TOKEN)
        listed = json.dumps([STATIC_SECRETS.get(secret, secret) for secret in secrets])
        token = f'verify_token = "{VERIFY_TOKEN}"\n' if kind == "meta" else ""
        sections.append(f'[{kind}-shop]\nkind = "{kind}"\nsecrets = {listed}\n{token}')
    (folder / "senders.toml").write_text("\n".join(sections), encoding="utf-8")


def post(ingest: IngestProcess, request: SenderRequest, body: bytes | None = None) -> int:
    return ingest.request("POST", request.path, request.body if body is None else body, request.headers).status


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")  # Evolution's key in the payloads is short
def test_requests_of_all_senders_shuffled_and_doubled_are_one_exact_history(
    pipeline: WorkerPipeline, tmp_path: Path
) -> None:
    """Each message has what its request says, whatever came before; the second delivery changes nothing."""
    write_senders(tmp_path)
    requests = [request for request in load_requests() if request.method == "POST"]
    handshakes = [request for request in load_requests() if request.method == "GET"]
    deliveries = requests * 2
    random.Random(17).shuffle(deliveries)
    with IngestProcess(pipeline.redis_url, tmp_path) as ingest:
        for handshake in handshakes:
            answer = ingest.request("GET", handshake.path, b"", handshake.headers)
            assert (answer.status, answer.body.decode()) == (200, handshake.expect["response_body"])
        assert {post(ingest, request) for request in deliveries} == {200}
        signed = [request for request in requests if KINDS[request.kind].algorithm != "jwt"]
        assert {post(ingest, request, request.body + b" ") for request in signed} == {401}
        pipeline.create_worker().start()
        assert pipeline.wait_until(lambda: _is_settled(_read_ledger(pipeline))), pipeline.worker_output
        counted = _read_ledger(pipeline)

    kinds = Counter(_outcome(request.expect["kind"]) for request in requests)
    assert (counted.received, counted.parked) == (len(deliveries), 2 * kinds["parked"])
    assert counted.stored >= kinds["stored"]

    assert pipeline.fetch_rows("SELECT count(*) FROM raw_events WHERE sender IS NULL") == [(0,)]
    assert pipeline.fetch_rows("SELECT count(*) FROM raw_events WHERE body LIKE '%%MADE-UP-INSTANCE%%'") == [(0,)]
    wrong = [f"{request.kind} {request.name}: {fault}" for request in requests for fault in _faults(pipeline, request)]
    assert wrong == []


def _read_ledger(pipeline: WorkerPipeline) -> Ledger:
    with connections.open(pipeline.database_url, "test") as connection:
        return ledger.read(connection)


def _is_settled(counted: Ledger) -> bool:
    return counted.exact and counted.waiting == 0


def _outcome(expected: str) -> str:
    return {"noise": "noise", "poll_vote": "noise", "ping": "ping", "unknown": "parked"}.get(expected, "stored")


def _faults(pipeline: WorkerPipeline, request: SenderRequest) -> Iterator[str]:
    """The differences between the row of the request's message and its expectation."""
    expected = request.expect["facts"] if request.expect["kind"] == "batch" else [request.expect]
    for fact in expected:
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
