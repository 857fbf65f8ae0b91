"""Tests the OpenAPI document."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import requests
from starlette.routing import Route

from api.app import create_app
from dev.checkout import ROOT
from dev.gateway.account import GatewayAccount
from dev.gateway.server import PretendGateway
from store.access import audit, tokens
from store.model.facts import Ack, Edit, Outcome, Reaction, SessionReport
from store.postgres import connections
from tests.support.generated_history import batches, world
from tests.support.history.history_writer import (
    API_TOKEN,
    BASE_TIME,
    SENDER_LID,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    alias_fact,
    message_fact,
    name_fact,
)
from tests.support.history.replaying import store_batches, text_event
from tests.support.processes.api_server import running_api

ENDLESS = "/api/stream"
ACCOUNT = GatewayAccount()


@pytest.fixture
def full(history: HistoryWriter) -> HistoryWriter:
    """Create a history with data for every endpoint."""
    history.store(*(message_fact(f"hello {index}", index) for index in range(5)), name_fact("John"))
    history.store(
        message_fact("order 5512", id="A", direction="outgoing"), message_fact(type="image", caption="hello", at=9)
    )
    history.store(message_fact("in a group", address="120363041234567890@g.us", sender=SENDER_PHONE), session="s2")
    history.store(
        Ack("A", "read", SENDER_PHONE, BASE_TIME),
        Edit("A", SENDER_PHONE, "outgoing", None, "better hello", BASE_TIME + 1),
    )
    history.store(
        Reaction("A", SENDER_PHONE, "incoming", None, "👍", BASE_TIME + 2),
        SessionReport("connected", SENDER_PHONE, BASE_TIME),
    )
    history.store(message_fact("hello from a LID", address=SENDER_LID, at=3), alias_fact())
    history.execute("UPDATE whatsapp_messages SET starred = true WHERE message_text LIKE 'hello _'")
    bodies = [(text_event(f"{number}", number), world.BASE_TIME) for number in range(5)]
    store_batches(
        history.database_url, [batches.make_batch(bodies)], lambda _: Outcome("parked", "not_json", "s1", None, None)
    )
    with connections.open(history.database_url, "test") as connection:
        for name in ("one", "two"):
            tokens.create(connection, name, ["read"])
            audit.record(connection, "one", "POST", "/api/send", 200)
    return history


def samples(client: ApiClient) -> dict[str, list[Any]]:
    """Return values of every kind that `format` distinguishes, as returned by the API."""
    chats, chat = client.get_data("/api/chats", limit=1), client.get_data(f"/api/chats/{SENDER_PHONE}", limit=2)
    found, changes = client.get_data("/api/search", q="hello", limit=1), client.get_data("/api/changes")
    return {
        "address": [
            SENDER_PHONE,
            f"+{SENDER_PHONE}",
            SENDER_LID,
            "919811000777",
            "120363041234567890@g.us",
            f"{SENDER_PHONE}:7@s.whatsapp.net",
        ],
        "recipient": [SENDER_PHONE, f"+{SENDER_PHONE}", "9811000001", f"{SENDER_PHONE}@s.whatsapp.net"],
        "session-to-send-from": [ACCOUNT.session_id],
        "moment": ["1750000000000", "2025-06-15T15:06:40Z", "2025-06-15", "2025-06-15T20:36:40+05:30", "0"],
        "words": ["hello", "5512", "नमस्ते", "你好", "👍", "ord", "helo"],
        "time-zone": ["UTC", "Asia/Kolkata", "America/New_York"],
        "as-of": [chat["as_of"]],
        "cursor-of-chats": [chats["cursor"], chats["after"]],
        "cursor-of-messages": [chat["before"]],
        "cursor-of-search": [found["cursor"]],
        "cursor-of-starred": [client.get_data("/api/starred", limit=1)["cursor"]],
        "label": ["new", "wholesale 👑"],
        "note": ["Pays late", "नमस्ते\nagain"],
        "cursor-of-parked": [client.get_data("/api/parked", limit=1)["cursor"]],
        "cursor-of-feed": [changes["cursor"]],
        "cursor-of-tokens": [client.get_data("/api/tokens", limit=1)["cursor"]],
        "cursor-of-audit": [client.get_data("/api/audit", limit=1)["cursor"]],
        "token-name": ["wall", "Asha", "भंडार"],
        "future-moment": ["2099-12-31", "2099-12-31T23:59:59+05:30"],
    }


CONFIG = """
# A request may be too large before it is looked at.
checks.negative_data_rejection.expected-statuses = ["4xx", "503"]

# Of two parameters that exclude each other OpenAPI has no word: that they are refused together is documented in prose.
[[operations]]
include-path = "/api/chats"
checks.positive_data_acceptance.expected-statuses = ["2xx", "304", "400"]

[[operations]]
include-path = "/api/chats/{phone}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "304", "400", "404"]

# The same of fields: what is marked as unread has no `up_to`.
[[operations]]
include-path = "/api/chats/{phone}/read"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409"]

# An address, a message or a note may not be there; several sessions may have a chat with one address.
[[operations]]
include-path-regex = "/(star|labels|notes|details)$|/notes/"
checks.positive_data_acceptance.expected-statuses = ["2xx", "304", "400", "404", "409"]

# A name is unique, and some are reserved; a token that has ended cannot be changed.
[[operations]]
include-path-regex = "^/api/tokens"
checks.positive_data_acceptance.expected-statuses = ["2xx", "304", "400", "404", "409"]

# `since` must lie before `until`, and not by years of minutes.
[[operations]]
include-path = "/api/stats"
checks.positive_data_acceptance.expected-statuses = ["2xx", "304", "400"]

# Exports are bounded: a further one is refused until another has ended.
[[operations]]
include-path-regex = "/export$"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]

# Beyond a schema: what a file holds, whether a key was used before, and which session the gateway's key belongs to.
[[operations]]
include-path = "/api/send"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "415", "422"]
"""


@pytest.fixture
def whole(database_url: str) -> Iterator[ApiClient]:
    """Return an API with all optional features, including a gateway to send with."""
    with PretendGateway(account=ACCOUNT) as gateway, requests.Session() as http:
        http.headers["authorization"] = f"Bearer {API_TOKEN}"
        environ = {"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, **gateway.account.to_environ(gateway.base_url)}
        with running_api(environ) as url:
            yield ApiClient(url, http)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_schemathesis_finds_nothing(full: HistoryWriter, whole: ApiClient, tmp_path: Path) -> None:
    """Run every check of Schemathesis on every call except the stream, which never ends."""
    (tmp_path / "samples.json").write_text(json.dumps(samples(whole)))
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(tmp_path / "schemathesis.toml"),
            "run", f"{whole.url}/openapi.json", "--header", f"Authorization: Bearer {API_TOKEN}",
            "--exclude-path", ENDLESS, "--phases", "coverage,fuzzing,stateful", "--max-examples", "150", "--seed", "1",
            "--generation-deterministic", "--continue-on-failure", "--request-timeout", "30",
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.support.attacks.schemathesis_hooks",
            "SAMPLES": str(tmp_path / "samples.json"),
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert full.rows("SELECT count(*) FROM whatsapp_messages") > [(0,)]


def test_the_stream_and_every_other_call_is_described(whole: ApiClient) -> None:
    """Otherwise, users could find a call only in the source."""
    app = create_app({"DATABASE_URL": "postgresql://app@127.0.0.1:1/x", "API_TOKEN": API_TOKEN})
    served = {
        (route.path, method.lower())
        for route in app.routes
        if isinstance(route, Route) and route.path.startswith("/api/")
        for method in (route.methods or set()) - {"HEAD"}
    }
    document = whole.get("/openapi.json").json()

    assert {(path, method) for path, calls in document["paths"].items() for method in calls} == served


def test_the_stream_is_as_described(full: HistoryWriter, whole: ApiClient) -> None:
    """Schemathesis cannot test the stream, because it never ends."""
    document = whole.get("/openapi.json").json()
    described = document["paths"][ENDLESS]["get"]["responses"]
    change = {**document["components"]["schemas"]["Change"], "components": document["components"]}
    change["required"] = sorted({*change["required"]} - {"id"})
    since = whole.get_data("/api/changes")["cursor"]
    full.store(message_fact("streamed"), SessionReport("disconnected", None, BASE_TIME + 5))
    bad = [
        whole.get(ENDLESS, since="nonsense"),
        whole.http.get(whole.url + ENDLESS, headers={"authorization": "Bearer x"}, timeout=30),
    ]
    with whole.http.get(whole.url + ENDLESS, headers={"last-event-id": since}, stream=True, timeout=30) as stream:
        received = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith(b"data: "))
        first_changes = [next(received), next(received)]

    assert {"message", "session"} == {one["kind"] for one in first_changes}
    assert [list(jsonschema_rs.validator_for(change).iter_errors(one)) for one in first_changes] == [[], []]
    assert stream.headers["content-type"].partition(";")[0] in described["200"]["content"]
    assert {str(one.status_code) for one in bad} <= set(described)
