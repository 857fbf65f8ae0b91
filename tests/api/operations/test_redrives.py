"""Tests redrives of parked events."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from store.access import tokens
from store.erasure.suppressions import SuppressionCache
from store.model.facts import Outcome
from store.postgres import connections
from store.replay import redrive_requests
from store.replay.redrive import RedriveRunner
from store.replay.redrive_requests import RedriveSelection
from tests.support.generated_history import batches, world
from tests.support.history.history_writer import ApiClient, HistoryWriter
from tests.support.history.replaying import store_batches, text_event
from tests.support.processes.pipeline import WorkerPipeline
from worker import parsers

SESSION, OTHER = world.SESSIONS[:2]
DIGEST = "ab" * 32


def not_yet(body: bytes) -> Outcome:
    """Parse as a parser that does not support this dialect yet."""
    session = SESSION if SESSION.encode() in body else OTHER if OTHER.encode() in body else None
    return Outcome("parked", "not_known_yet" if session else "not_json", session, None, None)


def park(history: HistoryWriter) -> None:
    """Park two events of one session and one of another, which today's parser can read, and one that it cannot."""
    bodies = [text_event("one", 1), text_event("two", 2), text_event("three", 3, sessionId=OTHER), b"not JSON"]
    store_batches(history.database_url, [batches.make_batch([(body, world.BASE_TIME) for body in bodies])], not_yet)


@pytest.fixture
def pipeline(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[WorkerPipeline]:
    made = WorkerPipeline(database_url, redis_url, tmp_path)
    yield made
    made.close()


def done(client: ApiClient, redrive_id: int) -> dict[str, Any]:
    """Return the finished redrive."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status = client.get_data(f"/api/parked/redrive/{redrive_id}")
        if status["finished_at"]:
            return status
        time.sleep(0.05)
    raise AssertionError("the redrive is never done")


def new_runner(history: HistoryWriter) -> RedriveRunner:
    return RedriveRunner(history.database_url, lambda: parsers.current(SuppressionCache()), None)


def work(history: HistoryWriter) -> None:
    """Run redrives as a worker does, until none is open."""
    mine = new_runner(history)
    with connections.open(history.database_url, "test") as connection:
        while redrive_requests.has_pending(connection):
            mine.run_slice(connection, lambda: True)


def test_a_worker_retries_the_selected_events(
    history: HistoryWriter, client: ApiClient, pipeline: WorkerPipeline
) -> None:
    """After the parser learned a dialect, nobody should need a shell to store the events that waited for it."""
    park(history)
    asked = client.post("/api/parked/redrive")
    again = client.post("/api/parked/redrive", {})
    pipeline.create_worker().start()
    status = done(client, asked.json()["data"]["id"])

    assert (asked.status_code, asked.json()["data"]["state"]) == (202, "waiting")
    assert asked.headers["location"] == f"/api/parked/redrive/{status['id']}"
    assert again.json()["data"]["id"] == status["id"], "asked for twice, done once"
    assert (status["state"], status["asked_by"]) == ("done", "bootstrap")
    assert (status["events"], status["still_parked"]) == (4, 1)
    assert [one["reason"] for one in client.get_data("/api/parked")["parked"]] == ["not_json"]
    texts = [one["message_text"] for one in client.get_data(f"/api/chats/{world.ASHA}")["messages"]]
    assert sorted(texts) == ["one", "three", "two"]
    assert history.rows("SELECT caller, path, status FROM audit_log") == [("bootstrap", "/api/parked/redrive", 202)] * 2


def test_a_choice_is_tried_and_nothing_else(history: HistoryWriter, client: ApiClient) -> None:
    """A request for one event retries only that event."""
    park(history)
    one = next(one for one in client.get_data("/api/parked")["parked"] if "two" in one["body"])
    by_digest = client.post("/api/parked/redrive", {"digests": [one["digest"]]}).json()["data"]["id"]
    by_reason = client.post("/api/parked/redrive", {"reason": "not_json"}).json()["data"]["id"]
    work(history)

    assert (done(client, by_digest)["events"], done(client, by_digest)["still_parked"]) == (1, 0)
    assert (done(client, by_reason)["events"], done(client, by_reason)["still_parked"]) == (1, 1)
    assert [one["message_text"] for one in client.get_data(f"/api/chats/{world.ASHA}")["messages"]] == ["two"]


def test_a_token_has_only_events_of_its_sessions_tried_again(
    history: HistoryWriter, api_url: str, client: ApiClient
) -> None:
    """Redriving the events of another customer would write into the chats of that customer."""
    park(history)
    with connections.open(history.database_url, "test") as connection:
        limited = tokens.create(connection, "limited", ["read", "write", "admin"], session_ids=[OTHER])
        stranger = tokens.create(connection, "stranger", ["read"], session_ids=[SESSION])
    answer = requests.post(
        f"{api_url}/api/parked/redrive", headers={"authorization": f"Bearer {limited}"}, timeout=30
    ).json()
    work(history)
    path = f"/api/parked/redrive/{answer['data']['id']}"
    seen = requests.get(api_url + path, headers={"authorization": f"Bearer {stranger}"}, timeout=30)

    assert (done(client, answer["data"]["id"])["events"], seen.status_code) == (1, 404)
    assert [one["message_text"] for one in client.get_data(f"/api/chats/{world.ASHA}")["messages"]] == ["three"]


def test_only_an_admin_may_request_a_redrive(history: HistoryWriter, api_url: str) -> None:
    """A redrive writes into every chat to which the events belong."""
    with connections.open(history.database_url, "test") as connection:
        token = tokens.create(connection, "writer", ["read", "write"])
    answer = requests.post(f"{api_url}/api/parked/redrive", headers={"authorization": f"Bearer {token}"}, timeout=30)

    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


@pytest.mark.parametrize(
    "body", [[], {"digests": []}, {"digests": "x"}, {"digests": ["x"]}, {"digests": [DIGEST] * 501}, {"reason": "\0"}]
)
def test_an_invalid_selection_is_refused(client: ApiClient, body: object) -> None:
    """An invalid filter must not be interpreted as all events."""
    assert client.post("/api/parked/redrive", body).status_code == 400


@pytest.mark.parametrize("named", ["0", "x", "99999999999999999999", "7"])
def test_a_redrive_that_does_not_exist_is_404(client: ApiClient, named: str) -> None:
    """The response is 404, as for any missing object."""
    assert client.get(f"/api/parked/redrive/{named}").json()["code"] == "redrive_not_found"


def test_a_redrive_that_a_worker_leaves_is_finished_by_another(history: HistoryWriter, client: ApiClient) -> None:
    """Deployments can stop workers at any time."""
    store_batches(
        history.database_url,
        [batches.make_batch([(text_event(f"{n}", n), world.BASE_TIME) for n in range(200)])],
        not_yet,
    )
    asked = client.post("/api/parked/redrive").json()["data"]["id"]
    first = new_runner(history)
    with connections.open(history.database_url, "test") as connection:
        first.run_slice(connection, lambda: False)
    part = client.get_data(f"/api/parked/redrive/{asked}")
    first.release()
    work(history)

    assert (part["state"], 0 < part["still_parked"] < 200) == ("running", True)
    assert outcome(done(client, asked)) == {"state": "done", "events": 200, "still_parked": 0, "failure": None}


def outcome(status: dict[str, Any]) -> dict[str, Any]:
    return {name: status[name] for name in ("state", "events", "still_parked", "failure")}


def test_a_redrive_that_kills_workers_is_given_up(history: HistoryWriter) -> None:
    """An event that crashes the parser must not crash one worker after the other."""
    with connections.open(history.database_url, "test") as connection:
        asked = redrive_requests.create(connection, "bootstrap", RedriveSelection())
        for _ in range(redrive_requests.MAX_ATTEMPTS):
            assert redrive_requests.claim(connection)
        given_up = redrive_requests.claim(connection)
        status = redrive_requests.get(connection, asked.redrive_id)

    assert given_up is None
    assert status
    assert status.state == "failed"


def noise(history: HistoryWriter) -> None:
    """Store two messages of one session that a parser classified as noise."""
    events = [(text_event(text, number), world.BASE_TIME) for number, text in enumerate(("four", "five"), 4)]
    store_batches(
        history.database_url,
        [batches.make_batch(events, writer="e" * 32)],
        lambda _: Outcome("noise", "context_only", SESSION, "message.received", None),
    )


def test_noise_is_listed_counted_by_reason_and_retried(history: HistoryWriter, client: ApiClient) -> None:
    """People can correct a wrong classification only if they see what was left out."""
    noise(history)
    park(history)

    listed = client.get_data("/api/parked?kind=noise")["parked"]
    counted = client.get_data("/api/parked/reasons")["reasons"]
    assert [(one["reason"], one["session_id"]) for one in listed] == [("context_only", SESSION)] * 2
    assert {(one["kind"], one["reason"]): one["count"] for one in counted} == {
        ("noise", "context_only"): 2,
        ("parked", "not_known_yet"): 3,
        ("parked", "not_json"): 1,
    }

    asked = client.post("/api/parked/redrive", {"kind": "noise"})
    work(history)
    status = client.get_data(asked.headers["location"])
    assert (status["events"], status["still_parked"]) == (2, 0)
    assert client.get_data("/api/parked?kind=noise")["parked"] == []
    assert len(client.get_data("/api/parked")["parked"]) == 4


def test_noise_is_chosen_by_digest_or_reason_too(history: HistoryWriter, client: ApiClient) -> None:
    """A digest or reason that is copied from the list is sufficient, without the name of the list."""
    noise(history)
    park(history)
    [first, _] = client.get_data("/api/parked?kind=noise")["parked"]

    asked = [
        client.post("/api/parked/redrive", body)
        for body in ({"digests": [first["digest"]]}, {"reason": "context_only"})
    ]
    work(history)
    assert [client.get_data(one.headers["location"])["events"] for one in asked] == [1, 1]


def test_a_kind_that_does_not_exist_is_refused(client: ApiClient) -> None:
    assert client.post("/api/parked/redrive", {"kind": "stored"}).status_code == 400
    assert client.get("/api/parked?kind=stored").status_code == 400
