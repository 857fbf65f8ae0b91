"""Tests which data a token for some sessions can read, for every call and the stream."""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from starlette.routing import Route

from api.app import create_app
from api.openapi import query_parameters
from dev.gateway.account import GatewayAccount
from store.access import tokens
from store.model.facts import Outcome, SessionReport
from store.postgres import connections
from store.replay import redrive_requests
from store.replay.redrive_requests import RedriveSelection
from tests.support import event_stream
from tests.support.generated_history import batches, world
from tests.support.history.history_writer import (
    API_TOKEN,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    message_fact,
    name_fact,
)
from tests.support.history.replaying import store_batches, text_event
from tests.support.processes.sending_api import ApiStarter

OURS, THEIRS = "ours-1", GatewayAccount().session_id
STRANGER = "919822222222"
BODIES: dict[str, Any] = {
    "/api/send": {"to": STRANGER, "text": "x"},
    "/api/chats/{phone}/star": {"message_id": "N1"},
    "/api/chats/{phone}/labels": {"add": ["x"]},
    "/api/chats/{phone}/notes": {"text": "x"},
    "/api/chats/{phone}/notes/{id}": {"text": "x"},
    "/api/sessions/{session_id}": {"display_name": "x"},
}
"""Bodies with which a call would change something."""
SECRET = re.compile("needle|Nadia|919822222222|" + THEIRS)


@pytest.fixture
def both(
    history: HistoryWriter, database_url: str, lend_api: ApiStarter
) -> Iterator[tuple[ApiClient, ApiClient, dict[str, str]]]:
    """Return a client with all sessions, a client with one empty session, and ids of objects in other sessions."""
    history.store(message_fact("quiet"), session=OURS)
    history.store(
        message_fact("needle", id="N1"), name_fact("Nadia"), SessionReport("connected", None, 1), session=THEIRS
    )
    history.store(message_fact("needle too", address=STRANGER), name_fact("Nadia", STRANGER), session=THEIRS)
    store_batches(
        history.database_url,
        [batches.make_batch([(text_event("needle parked"), world.BASE_TIME)])],
        lambda _: Outcome("parked", "not_json", THEIRS, None, None),
    )
    with connections.open(database_url, "test") as connection:
        token = tokens.create(connection, "limited", ["read", "write", "admin"], session_ids=[OURS], per_minute=6000)
        redrive = redrive_requests.create(connection, "bootstrap", RedriveSelection((THEIRS,))).redrive_id
    whole = lend_api()
    with requests.Session() as part:
        part.headers["authorization"] = f"Bearer {token}"
        sent = whole.post("/api/send", {"to": STRANGER, "text": "needle sent"}).json()["data"]["send_id"]
        noted = whole.post(f"/api/chats/{STRANGER}/notes", {"text": "needle noted"}, session_id=THEIRS).json()["data"]
        ids = {"sends": sent, "redrive": str(redrive), "notes": str(noted["notes"][0]["id"]), "token": token}
        yield whole, ApiClient(whole.url, part), ids


def calls() -> list[tuple[str, str]]:
    """Return every call below /api except the stream, which has its own test."""
    app = create_app({"DATABASE_URL": "postgresql://app@127.0.0.1:1/x", "API_TOKEN": API_TOKEN})
    return sorted(
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route) and route.path.startswith("/api/") and route.path != "/api/stream"
        for method in (route.methods or set()) - {"HEAD"}
    )


@pytest.mark.parametrize(("method", "path"), calls(), ids=lambda part: part)
def test_no_call_reads_or_changes_anything_of_another_session(
    both: tuple[ApiClient, ApiClient, dict[str, str]], history: HistoryWriter, method: str, path: str
) -> None:
    """New calls are tested automatically, because the chats of one customer must never be visible to another."""
    whole, limited, ids = both
    sent_id = ids["sends"]
    since = whole.get_data("/api/changes")["cursor"]
    before = state_of_theirs(history)
    for phone in (SENDER_PHONE, STRANGER):
        at = path.replace("{phone}", phone).replace("{session_id}", THEIRS)
        at = at.replace("{id}", next((ids[kind] for kind in ids if f"/{kind}/" in path), sent_id))
        for asked in ({}, {"session_id": THEIRS}):
            answer = limited.http.request(
                method,
                limited.url + at,
                params={
                    name: value
                    for name, value in {"q": "needle", "since": since if "changes" in path else None, **asked}.items()
                    if name in query_parameters.known_to(path, method)
                },
                json={**BODIES[path], **asked} if path in BODIES and method != "DELETE" else None,
                timeout=30,
            )

            assert answer.status_code in {200, 202, 400, 403, 404}, answer.text
            assert not SECRET.search(answer.text.replace(f'"{phone}"', "")), answer.text
    assert state_of_theirs(history) == before


def state_of_theirs(history: HistoryWriter) -> list[tuple[Any, ...]]:
    """Return everything that a call could change in the other session."""
    return [
        *history.rows("SELECT unread, marked_unread, rev FROM chats WHERE session_id = %s ORDER BY address", THEIRS),
        *history.rows("SELECT message_id, starred FROM whatsapp_messages WHERE session_id = %s ORDER BY id", THEIRS),
        *history.rows(
            "SELECT text, changed_at FROM chat_notes JOIN chats USING (chat_id) WHERE session_id = %s", THEIRS
        ),
        *history.rows("SELECT label FROM chat_labels JOIN chats USING (chat_id) WHERE session_id = %s", THEIRS),
        *history.rows(
            "SELECT name FROM session_names JOIN sessions USING (session_number) WHERE session_id = %s", THEIRS
        ),
        *history.rows("SELECT count(*) FROM sends"),
    ]


def test_the_stream_sends_nothing_of_another_session(
    both: tuple[ApiClient, ApiClient, dict[str, str]], history: HistoryWriter
) -> None:
    """The stream shows neither new nor earlier changes of other sessions."""
    whole, limited, ids = both
    since = whole.get_data("/api/changes")["cursor"]

    def happen(number: int) -> None:
        history.store(
            message_fact(f"needle {number}", id=f"X{number}"), SessionReport("connecting", None, 5), session=THEIRS
        )
        whole.post(f"/api/chats/{STRANGER}/read", {}, session_id=THEIRS)
        whole.post("/api/send", {"to": STRANGER, "text": f"needle {number}"})
        history.store(message_fact(f"mine {number}"), session=OURS)

    async def listen(last: str | None) -> list[Any]:
        received: list[Any] = []
        async with contextlib.aclosing(event_stream.read_events(limited.url, last, ids["token"])) as stream:
            async for event in stream:
                if event.data is None:
                    await asyncio.to_thread(happen, 1 if last else 2)
                else:
                    received.append(event.data)
                    if len(received) == (2 if last else 1):
                        return received
        raise AssertionError

    happen(0)
    caught_up, live = asyncio.run(listen(since)), asyncio.run(listen(None))

    assert [one["message"]["message_text"] for one in caught_up] == ["mine 0", "mine 1"]
    assert [one["message"]["message_text"] for one in live] == ["mine 2"]
    assert not SECRET.search(json.dumps([*caught_up, *live]))
