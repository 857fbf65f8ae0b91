"""Tests the test event that the api signs and posts to ingest as a gateway would."""

import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest
import requests

from store.access import tokens
from store.model.facts import Outcome
from store.postgres import connections
from tests.support.generated_history import batches, world
from tests.support.history.history_writer import API_TOKEN, ApiClient, HistoryWriter
from tests.support.history.replaying import store_batches
from tests.support.processes.api_server import running_api
from tests.support.servers.webhook_receiver import WebhookReceiver, running_webhook_receiver
from worker.senders.sak import parser

SECRET = "made-up-secret-of-test-events"


@pytest.fixture
def ingest() -> Iterator[WebhookReceiver]:
    with running_webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
def near_ingest(ingest: WebhookReceiver, history: HistoryWriter) -> Iterator[ApiClient]:
    """Return a client of an api that knows the address of ingest."""
    environ = {
        "DATABASE_URL": history.database_url,
        "API_TOKEN": API_TOKEN,
        "INGEST_URL": ingest.url,
        "TEST_EVENT_SECRET": SECRET,
    }
    with running_api(environ) as url, requests.Session() as http:
        http.headers["authorization"] = f"Bearer {API_TOKEN}"
        yield ApiClient(url, http)


def test_a_test_event_is_signed_counted_as_a_ping_reported_and_removed(
    near_ingest: ApiClient, ingest: WebhookReceiver, history: HistoryWriter
) -> None:
    """It creates no chat, no message and no session."""
    assert near_ingest.get_data("/api/test-events") == {"webhook_url": ingest.url, "missing": []}
    since = near_ingest.current_cursor()
    digest = near_ingest.post("/api/test-events").json()["data"]["digest"]
    headers, body = ingest.events.get(timeout=30)
    before = near_ingest.get_data(f"/api/test-events/{digest}")
    store_batches(
        history.database_url, [batches.make_batch([(body, world.BASE_TIME)])], lambda each: parser.parse(each).outcome
    )

    assert headers["x-webhook-signature"] == f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"
    assert json.loads(body)["test"] is True
    assert (before, near_ingest.get_data(f"/api/test-events/{digest}")) == ({"stored": False}, {"stored": True})
    [change] = near_ingest.get_data("/api/changes", since=since)["changes"]
    assert (change["kind"], change["session_id"], change["chat"]) == ("session", None, None)
    assert near_ingest.get_data("/api/ledger")["ping"] == 1
    assert near_ingest.get_data("/api/chats")["contacts"] == near_ingest.get_data("/api/sessions")["sessions"] == []
    removed = near_ingest.http.delete(f"{near_ingest.url}/api/test-events/{digest}", timeout=30).json()["data"]
    assert removed == {"removed": True}
    assert history.rows("SELECT count(*) FROM raw_events") == [(0,)]
    assert near_ingest.get_data("/api/ledger")["ping"] == 1


def test_obstacles_to_a_test_event_are_reported(
    near_ingest: ApiClient, ingest: WebhookReceiver, client: ApiClient, history: HistoryWriter
) -> None:
    """Examples are an api without access to ingest, an ingest that is down, and a reader who may not send."""
    ingest.server.shutdown()
    ingest.server.server_close()
    down, apart = near_ingest.post("/api/test-events"), client.post("/api/test-events")
    with connections.open(history.database_url, "test") as connection:
        writer = tokens.create(connection, "writer", ["read", "write"])
        confined = tokens.create(connection, "confined", ["read", "write", "admin"], session_ids=["s1"])
    codes = {
        token: requests.post(
            f"{near_ingest.url}/api/test-events", headers={"authorization": f"Bearer {token}"}, timeout=30
        ).json()["code"]
        for token in (writer, confined)
    }

    assert (down.status_code, down.json()["code"]) == (502, "ingest_unreachable")
    assert (apart.status_code, apart.json()["code"]) == (409, "test_event_impossible")
    assert client.get_data("/api/test-events")["missing"] == ["INGEST_URL", "TEST_EVENT_SECRET"]
    assert "INGEST_URL and TEST_EVENT_SECRET" in apart.json()["error"]
    assert codes == {writer: "scope_missing", confined: "all_sessions_needed"}


def test_a_message_is_no_test_event(history: HistoryWriter, client: ApiClient) -> None:
    """Only pings can be removed by their digest."""
    body = b'{"event": "message.received", "id": "x"}'
    store_batches(
        history.database_url,
        [batches.make_batch([(body, world.BASE_TIME)])],
        lambda _: Outcome("noise", "empty", "s1", "message.received", None),
    )
    path = f"/api/test-events/{hashlib.sha256(body).hexdigest()}"

    assert client.get_data(path) == {"stored": False}
    assert client.http.delete(client.url + path, timeout=30).json()["data"] == {"removed": False}
    assert history.rows("SELECT count(*) FROM raw_events") == [(1,)]
    assert client.get("/api/test-events/none").status_code == 404
