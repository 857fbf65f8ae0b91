"""Tests how an admin creates, limits and revokes tokens over HTTP."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from store.access import tokens
from store.model.facts import SessionReport
from store.postgres import connections
from tests.support import waiting
from tests.support.history.history_writer import BASE_TIME, ApiClient, HistoryWriter, message_fact

ALL = ["read", "write", "admin"]


@pytest.fixture
def as_token(history: HistoryWriter, api_url: str) -> Iterator[Callable[..., ApiClient]]:
    """Return a function that creates clients with their own tokens."""
    opened: list[requests.Session] = []

    def make(name: str, scopes: list[str] = ALL, **limits: Any) -> ApiClient:  # noqa: ANN401 - those of tokens.create
        with connections.open(history.database_url, "test") as connection:
            secret = tokens.create(connection, name, scopes, **limits)
        return with_secret(api_url, secret, opened)

    yield make
    for http in opened:
        http.close()


def with_secret(api_url: str, secret: str, opened: list[requests.Session]) -> ApiClient:
    opened.append(requests.Session())
    opened[-1].headers["authorization"] = f"Bearer {secret}"
    return ApiClient(api_url, opened[-1])


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def created(client: ApiClient, **fields: object) -> dict[str, Any]:
    answer = client.post("/api/tokens", fields)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["data"]


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def test_an_admin_creates_a_token_sees_its_last_use_and_revokes_it(client: ApiClient) -> None:
    """The test covers the whole life of a token, which requires no shell on the server."""
    made = created(client, name="Asha", scopes=["read", "write"], sessions=["s1"], page="https://shop.example/")
    bearer = {"authorization": f"Bearer {made['token']}"}
    first = requests.get(f"{client.url}/api/session", headers=bearer, timeout=30).json()["data"]

    def listed() -> dict[str, Any]:
        (found,) = client.get_data("/api/tokens")["tokens"]
        return found

    waiting.wait_until(lambda: listed()["last_used_at"] is not None)
    revoked = client.http.delete(f"{client.url}/api/tokens/{made['id']}", timeout=30).json()["data"]
    after = requests.get(f"{client.url}/api/session", headers=bearer, timeout=30)

    assert (first["name"], first["scopes"], first["sessions"]) == ("Asha", ["read", "write"], ["s1"])
    assert made["link"] == f"https://shop.example/#token={made['token']}"
    assert made["qr"].startswith("<svg")
    assert "script" not in made["qr"]
    assert (made["state"], made["created_by"], made["per_minute"], made["expires_at"]) == (
        "active",
        "bootstrap",
        600,
        None,
    )
    assert made["token"] not in client.get("/api/tokens").text
    assert (revoked["state"], after.status_code) == ("revoked", 401)


def test_an_expired_token_is_refused_and_its_streams_end(
    client: ApiClient, history: HistoryWriter, as_token: Callable[..., ApiClient]
) -> None:
    """As on revocation, access ends at the promised time, even on an open connection."""
    guest = as_token("guest", ["read"])
    (token,) = client.get_data("/api/tokens")["tokens"]
    soon = client.http.patch(f"{client.url}/api/tokens/{token['id']}", json={"expires_at": in_hours(1)}, timeout=30)
    with guest.http.get(f"{guest.url}/api/stream", stream=True, timeout=30) as listening:
        history.execute("UPDATE api_tokens SET expires_at = now()")

        assert listening.content.startswith(b"retry:")  # the stream ends
    again = client.http.patch(f"{client.url}/api/tokens/{token['id']}", json={"expires_at": None}, timeout=30)

    assert soon.json()["data"]["state"] == "active"
    assert guest.get("/api/chats").status_code == 401
    assert client.get_data("/api/tokens")["tokens"][0]["state"] == "expired"
    assert code(again) == (409, "token_ended")


def test_no_caller_grants_more_rights_than_it_has(history: HistoryWriter, as_token: Callable[..., ApiClient]) -> None:
    """An admin of one shop must not become an admin of all shops, whatever the request contains."""
    history.store(message_fact(), SessionReport("connected", "919800000001", BASE_TIME), session="s1")
    history.store(message_fact(), session="s2")
    expires_at = datetime.now(UTC) + timedelta(hours=2)
    some = as_token("some", session_ids=["s1"], per_minute=6000, expires_at=expires_at)
    clerk = as_token("clerk", ["write", "admin"])
    waiting.wait_until(
        lambda: some.post("/api/tokens", {"name": "phone", "sessions": ["919800000001"]}).status_code == 201
    )
    base = {"name": "x", "sessions": ["s1"]}
    attempts = [
        {**base, "sessions": None},
        {**base, "sessions": ["s1", "s2"]},
        {**base, "sessions": ["919800000002"]},
        {**base, "per_minute": None},
        {**base, "per_minute": 6001},
        {**base, "expires_at": None},
        {**base, "expires_at": in_hours(3)},
    ]

    assert [code(some.post("/api/tokens", attempt)) for attempt in attempts] == [(403, "more_than_own")] * len(attempts)
    assert code(clerk.post("/api/tokens", {"name": "x"})) == (403, "more_than_own")  # the clerk may not read
    given = created(some, name="given", sessions=["s1"], scopes=ALL)
    assert datetime.fromisoformat(given["expires_at"]) <= expires_at


def test_tokens_of_other_sessions_do_not_exist_for_a_caller(
    client: ApiClient, as_token: Callable[..., ApiClient]
) -> None:
    """An admin of other sessions can neither list nor change nor revoke them."""
    some = as_token("some", session_ids=["s1"])
    theirs = created(client, name="theirs", sessions=["s2"])
    whole = created(client, name="whole")
    paths = [f"{some.url}/api/tokens/{one['id']}" for one in (theirs, whole)]

    assert [one["name"] for one in some.get_data("/api/tokens")["tokens"]] == ["some"]
    for path in paths:
        assert code(some.http.delete(path, timeout=30)) == (404, "token_not_found")
        assert code(some.http.patch(path, json={"expires_at": in_hours(1)}, timeout=30)) == (404, "token_not_found")
    assert {one["state"] for one in client.get_data("/api/tokens")["tokens"]} == {"active"}


def test_a_longer_life_is_given_only_by_who_has_all_that_the_token_has(
    client: ApiClient, as_token: Callable[..., ApiClient]
) -> None:
    """Extending a token is equivalent to granting its permissions."""
    clerk = as_token("clerk", ["write", "admin"])
    made = created(client, name="reader", expires_at=in_hours(1))
    answer = clerk.http.patch(f"{clerk.url}/api/tokens/{made['id']}", json={"expires_at": None}, timeout=30)

    assert code(answer) == (403, "more_than_own")


def test_only_admins_see_and_change_who_has_access(as_token: Callable[..., ApiClient]) -> None:
    writer = as_token("writer", ["read", "write"])
    answers = [
        writer.get("/api/tokens"),
        writer.get("/api/audit"),
        writer.post("/api/tokens", {"name": "x"}),
        writer.http.patch(f"{writer.url}/api/tokens/1", json={"expires_at": None}, timeout=30),
        writer.http.delete(f"{writer.url}/api/tokens/1", timeout=30),
    ]

    assert [code(answer) for answer in answers] == [(403, "scope_missing")] * 5


def test_the_last_admin_can_revoke_itself_and_api_token_still_opens(
    client: ApiClient, as_token: Callable[..., ApiClient]
) -> None:
    """Nobody is locked out permanently, because API_TOKEN is not in the database."""
    admin = as_token("admin")
    (own,) = admin.get_data("/api/tokens")["tokens"]

    assert admin.http.delete(f"{admin.url}/api/tokens/{own['id']}", timeout=30).status_code == 200
    assert admin.get("/api/chats").status_code == 401
    assert created(client, name="admin", scopes=ALL)["state"] == "active"


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"name": " x"}, "bad_token_name"),
        ({"name": "bootstrap"}, "bad_token_name"),
        ({"name": 1}, "bad_token_name"),
        ({"name": "x", "scopes": []}, "bad_parameter"),
        ({"name": "x", "scopes": ["root"]}, "bad_parameter"),
        ({"name": "x", "sessions": []}, "bad_parameter"),
        ({"name": "x", "sessions": ["a\0"]}, "bad_parameter"),
        ({"name": "x", "per_minute": True}, "bad_parameter"),
        ({"name": "x", "per_minute": 0}, "bad_parameter"),
        ({"name": "x", "expires_at": "2020-01-01"}, "bad_parameter"),
        ({"name": "x", "expires_at": "999999999999999"}, "bad_parameter"),
        ({"name": "x", "page": "javascript:alert(1)//"}, "bad_parameter"),
        ({"name": "x", "page": "https://shop.example/#a"}, "bad_parameter"),
    ],
)
def test_an_invalid_token_request_is_refused(client: ApiClient, fields: dict[str, object], refusal: str) -> None:
    assert code(client.post("/api/tokens", fields)) == (400, refusal)


def test_a_name_identifies_one_token_and_pages_list_each_token_once(client: ApiClient) -> None:
    made = [created(client, name=f"n{number}")["id"] for number in range(5)]
    taken = client.post("/api/tokens", {"name": "n1"})
    pages: list[int] = []
    cursor = None
    while cursor or not pages:
        page = client.get_data("/api/tokens", limit=2, cursor=cursor)
        pages += [one["id"] for one in page["tokens"]]
        cursor = page["cursor"]

    assert code(taken) == (409, "token_name_taken")
    assert pages == made[::-1]
