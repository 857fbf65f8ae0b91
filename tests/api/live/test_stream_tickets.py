"""Tests streams that a browser opens with EventSource."""

import time
from collections.abc import Iterator

import pytest
import requests

from api.auth import failed_attempts
from store.access import tokens
from store.postgres import connections
from tests.support.history.history_writer import API_TOKEN, ApiClient, HistoryWriter, message_fact
from tests.support.processes.api_server import running_api

ORIGIN = "https://shop.example"


@pytest.fixture
def reader(history: HistoryWriter, api_url: str) -> Iterator[ApiClient]:
    """Return a client that may only read s1."""
    with connections.open(history.database_url, "test") as connection:
        token = tokens.create(connection, "reader", ["read"], session_ids=["s1"])
    with requests.Session() as http:
        http.headers["authorization"] = f"Bearer {token}"
        yield ApiClient(api_url, http)


def ticket_of(client: ApiClient) -> str:
    answer = client.post("/api/stream-tickets")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["ticket"]


def opened(url: str, ticket: str, **more: str) -> requests.Response:
    return requests.get(f"{url}/api/stream", params={"ticket": ticket, **more}, stream=True, timeout=30)


def test_a_ticket_opens_one_stream_with_the_rights_of_its_token(reader: ApiClient, history: HistoryWriter) -> None:
    """A ticket may appear in the log of a proxy, where it must be of no use."""
    since = reader.current_cursor()
    ticket = ticket_of(reader)
    with opened(reader.url, ticket, since=since) as stream:
        history.store(message_fact("hidden"), session="s2")
        history.store(message_fact("seen"))
        told = next(line for line in stream.iter_lines() if line.startswith(b"data: "))
        again = opened(reader.url, ticket)

    assert b"seen" in told
    assert again.status_code == 401
    assert history.rows("SELECT count(*) FROM audit_log") == [(0,)]


def test_a_stream_by_ticket_ends_with_its_token(reader: ApiClient, history: HistoryWriter) -> None:
    with opened(reader.url, ticket_of(reader)) as stream:
        with connections.open(history.database_url, "test") as connection:
            tokens.revoke(connection, "reader")

        assert stream.content.startswith(b"retry:")  # the stream ends


def test_a_ticket_opens_nothing_but_one_stream(client: ApiClient, history: HistoryWriter) -> None:
    """A ticket is refused for other calls, after half a minute, if it is invented, and twice in one request."""
    expired = ticket_of(client)
    history.execute("UPDATE stream_tickets SET expires_at = now()")
    good = ticket_of(client)
    statuses = [
        opened(client.url, expired).status_code,
        opened(client.url, "made-up").status_code,
        requests.get(f"{client.url}/api/changes", params={"ticket": good}, timeout=30).status_code,
        requests.get(f"{client.url}/api/stream?ticket={good}&ticket={good}", stream=True, timeout=30).status_code,
    ]

    assert statuses == [401] * 4
    assert good not in str(history.rows("SELECT * FROM stream_tickets"))
    with opened(client.url, good) as stream:
        assert stream.status_code == 200


def test_an_address_that_invents_tickets_is_slowed_down(database_url: str) -> None:
    """Each would cost a database query, so they count as wrong tokens of their address."""
    with running_api({"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN}) as url:
        statuses = [opened(url, "made-up").status_code for _ in range(failed_attempts.BURST + 1)]
        refused = requests.get(f"{url}/api/sessions", headers={"authorization": "Bearer sakt_guess"}, timeout=30)

    assert statuses == [401] * failed_attempts.BURST + [429]
    assert refused.status_code == 429


def test_an_allowed_origin_can_open_a_stream_and_read_the_headers(database_url: str) -> None:
    """A browser sends a preflight for the ticket, and none for the stream."""
    environ = {"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, "API_CORS_ORIGINS": ORIGIN}
    with running_api(environ) as url, requests.Session() as http:
        http.headers["origin"] = ORIGIN
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        preflight = http.options(f"{url}/api/stream-tickets", headers=asked, timeout=30)
        bearer = {"authorization": f"Bearer {API_TOKEN}"}
        given = http.post(f"{url}/api/stream-tickets", headers=bearer, timeout=30)
        parameters = {"ticket": given.json()["data"]["ticket"]}
        with http.get(f"{url}/api/stream", params=parameters, stream=True, timeout=30) as stream:
            allowed = [one.headers["access-control-allow-origin"] for one in (preflight, given, stream)]

    assert allowed == [ORIGIN] * 3
    assert {"x-request-id", "content-disposition", "idempotency-replayed"} <= {
        name.strip().lower() for name in given.headers["access-control-expose-headers"].split(",")
    }
    assert given.json()["data"]["expires_at"] <= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 31))
