"""What the API says of itself."""

import pytest

from api import openapi
from tests.api.history import PHONE, Client, History, message


def test_every_call_that_is_described_is_there_and_answers_as_described(history: History, client: Client) -> None:
    """A description that lies is worse than none: programs believe it."""
    history.tell(message())
    document = client.http.get(f"{client.url}/openapi.json", headers={"authorization": ""}, timeout=30).json()
    for path, calls in document["paths"].items():
        if path.startswith("/api/send"):
            continue  # needs a gateway: tests/api/sends/test_schema.py
        for method in calls:
            at = path.replace("{phone}", PHONE).replace("{session_id}", "s1")
            answer = client.http.request(method, client.url + at, params={"q": "hello"}, timeout=30)

            assert str(answer.status_code) in calls[method]["responses"], path
            assert answer.status_code == 200, path
            if answer.headers["content-type"] == "application/json":
                described = calls[method]["responses"]["200"]["content"]["application/json"]["schema"]
                assert set(described["properties"]["data"]["required"]) <= set(answer.json()["data"]), path


@pytest.mark.parametrize(("name", "path", "key"), [("Chat", "/api/chats", "contacts"), ("Message", None, "messages")])
def test_chats_and_messages_have_the_described_fields(
    history: History, client: Client, name: str, path: str | None, key: str
) -> None:
    """Generated clients break on what is missing."""
    history.tell(message())
    (shown,) = client.data(path or f"/api/chats/{PHONE}")[key]

    assert set(openapi.SCHEMAS[name]["required"]) <= set(shown)
