"""Tests the query parameters of every endpoint."""

import pytest

from api.openapi import document
from tests.support.history.history_writer import SENDER_PHONE, ApiClient, HistoryWriter, message_fact


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    "path",
    [
        "/api/chats?limit=1&limit=2",
        "/api/chats?before=a&before=b",
        "/api/chats/919811000002?session_id=s1&session_id=s2",
        "/api/chats/919811000002/export?format=csv&format=txt",
        "/api/search?q=one&q=two",
        "/api/stats?since=1&since=2",
        "/api/changes?since=a&since=b",
        "/api/stream?since=a&since=b",
    ],
)
def test_a_parameter_that_is_given_twice_is_rejected(path: str, client: ApiClient) -> None:
    """It is impossible to know which of two sessions a client meant."""
    answer = client.get(path)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    assert answer.json()["error"].endswith("is given more than once.")


def test_an_unknown_parameter_is_rejected_with_the_known_ones(history: HistoryWriter, client: ApiClient) -> None:
    """If a misspelt filter were ignored, the result would look as if the filter had been applied."""
    history.store(message_fact())
    listed = client.get("/api/chats", unraed="true")
    none_known = client.post("/api/send", {"to": SENDER_PHONE, "text": "hello"}, dry_run="true")

    assert (listed.status_code, listed.json()["code"]) == (400, "unknown_parameter")
    assert listed.json()["error"].startswith("There is no parameter unraed: those of this call are limit, cursor, ")
    assert none_known.json()["error"] == "There is no parameter dry_run: this call takes none."
    assert history.rows("SELECT count(*) FROM sends") == [(0,)]


@pytest.mark.usefixtures("history")
def test_every_call_rejects_unknown_parameters(client: ApiClient) -> None:
    """New calls are tested automatically."""
    calls = [(path, method) for path, methods in document.PATHS.items() for method in methods]
    answers = {
        (path, method): client.http.request(method, f"{client.url}{path}?no_such=1", timeout=30)
        for path, method in calls
        if path != "/api/session"  # this call signs out
    }

    assert {call for call, answer in answers.items() if answer.json().get("code") != "unknown_parameter"} == set()
